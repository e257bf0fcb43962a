import { maskCredentials } from '@temper/core/policy';

/** Replaces a part of a text, as everywhere in Temper. */
const MASK = '***';

/** Longest name of a field or a header. */
const MAX_NAME = 64;
/** Longest name of a field with the dashes of an option. */
const MAX_RUN = MAX_NAME + 2;

/** A separator of a field, or the dash that begins an option: what a text without fields has none of. */
const FIELD_SIGN = /[:=]|(?<!\S)-/g;
/**
 * At the name of a field: the name, and what separates it from its value: of a parameter of a URL or a
 * form, a header, an assignment, JSON, YAML, an option of a command. Tried where {@link FIELD_SIGN} says
 * that there can be one, so that the time does not depend on what the rest of the text is.
 */
const FIELD =
  /(?<![\w%.[\]-])(?:--?)?([A-Za-z_][\w.[\]%-]{0,63})(?:\\{0,4}["'])?(?:[ \t]{0,3}(?:=>?|:(?!\/\/))[ \t]{0,3}|(?<=(?:^|\s)--?[\w-]{1,64})[ \t]{1,3}(?!-))(?:\\{1,4}(?=["']))?/y;
/** Its value: in quotes, or up to a space or a delimiter. */
const VALUE = /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s'",;)}\]&]+/y;

/** A header on a line of its own, or in quotes as in a command: its value has spaces and delimiters. */
const HEADER = /(?<=^[ \t<>*]{0,4}|["'])([A-Za-z][\w-]{0,63}):[ \t]{1,8}[^\r\n"'][^\r\n"']*/my;

/** 14 to 19 digits, with or without spaces or hyphens between them, that are not part of more. */
const CARD = /(?<![\w.+-])(?<!\d[ -])\d(?:[ -]?\d){13,18}(?![\w-])(?! ?\d)/g;
/** Digits of the shortest number of a card. */
const CARD_DIGITS = 14;

/** First digits and lengths of the card networks, by their published ranges (ISO/IEC 7812). */
const CARD_FORM =
  /^(?:4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17})$/;

/** Whether digits are the number of a payment card: a known range, and a valid check digit (Luhn). */
export function isCardNumber(digits: string): boolean {
  if (!CARD_FORM.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

const SCHEME = /bearer|basic/i;
/** What tokens, private keys and options have, beside a hyphen or an underscore. */
const MARK =
  /gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_|npm_|-----BEGIN |(?<!\S)--?[A-Za-z_]/;

/** Whether {@link maskValues} may change a text: a quick test. */
export function maySecret(text: string): boolean {
  return (
    text.includes(':') ||
    text.includes('=') ||
    text.includes('@') ||
    text.includes('eyJ') ||
    text.includes('AKIA') ||
    text.includes('ASIA') ||
    SCHEME.test(text) ||
    ((text.includes('-') || text.includes('_')) && MARK.test(text)) ||
    mayHaveCard(text)
  );
}

/**
 * Whether {@link CARD} may find something. A number of so many digits has one of them, a space or a hyphen
 * in every place that is a multiple of their number, so the others need not be read.
 */
function mayHaveCard(text: string): boolean {
  for (let at = CARD_DIGITS - 1; at < text.length; at += CARD_DIGITS) {
    if (!isOfCard(text.charCodeAt(at))) continue;
    let start = at;
    while (start > 0 && isOfCard(text.charCodeAt(start - 1))) start--;
    let digits = 0;
    for (at = start; at < text.length && isOfCard(text.charCodeAt(at)); at++) {
      if (isDigit(text.charCodeAt(at))) digits++;
    }
    if (digits >= CARD_DIGITS) return true;
  }
  return false;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** A digit, a space or a hyphen. */
function isOfCard(code: number): boolean {
  return isDigit(code) || code === 0x20 || code === 0x2d;
}

/**
 * Replaces secrets inside a text by `***`: what core knows as a credential, the values of fields and
 * headers whose name is secret, and numbers of payment cards.
 *
 * @param isSecret - whether a field of this name is secret
 * @param wasCut - whether the text is the first part of a longer one
 */
export function maskValues(
  text: string,
  isSecret: (name: string) => boolean,
  wasCut: boolean,
): string {
  if (!wasCut && !maySecret(text)) return text;
  const known = maskCredentials(text, wasCut);
  const result = maskFields(maskHeaders(known, isSecret), isSecret);
  if (!mayHaveCard(result)) return result;
  return result.replace(CARD, (found) =>
    isCardNumber(found.replaceAll(/\D/g, '')) ? MASK : found,
  );
}

function maskHeaders(text: string, isSecret: (name: string) => boolean): string {
  let result = '';
  let done = 0;
  let next = 0;
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
    const after = text[colon + 1];
    if (after !== ' ' && after !== '\t') continue;
    const start = nameBefore(text, colon, isOfHeader, MAX_NAME);
    if (start < next) continue;
    HEADER.lastIndex = start;
    const name = HEADER.exec(text)?.[1];
    if (name === undefined) continue;
    next = HEADER.lastIndex;
    if (!isSecret(name)) continue;
    result += `${text.slice(done, start)}${name}: ${MASK}`;
    done = next;
  }
  return done === 0 ? text : result + text.slice(done);
}

/** Only the value of a secret field is consumed: the value of another may contain a field. */
function maskFields(text: string, isSecret: (name: string) => boolean): string {
  let result = '';
  let done = 0;
  let next = 0;
  FIELD_SIGN.lastIndex = 0;
  while (FIELD_SIGN.test(text)) {
    const start = fieldStart(text, FIELD_SIGN.lastIndex - 1);
    if (start < next) continue;
    FIELD.lastIndex = start;
    const name = FIELD.exec(text)?.[1];
    if (name === undefined) continue;
    next = FIELD.lastIndex;
    if (isSecret(name)) {
      VALUE.lastIndex = next;
      const value = VALUE.exec(text)?.[0];
      if (value !== undefined) {
        result += text.slice(done, next) + masked(value);
        done = next + value.length;
        next = done;
      }
    }
    FIELD_SIGN.lastIndex = Math.max(FIELD_SIGN.lastIndex, next);
  }
  return done === 0 ? text : result + text.slice(done);
}

/** Where the field begins whose separator, or whose first dash, is at `sign`. */
function fieldStart(text: string, sign: number): number {
  if (text[sign] === '-') return sign;
  let end = sign;
  for (let i = 0; i < 3 && (text[end - 1] === ' ' || text[end - 1] === '\t'); i++) end--;
  if (text[end - 1] === '"' || text[end - 1] === "'") {
    end--;
    for (let i = 0; i < 4 && text[end - 1] === '\\'; i++) end--;
  }
  return nameBefore(text, end, isOfField, MAX_RUN);
}

/** Where the name begins that ends at `end`; of one that is too long, a place within it. */
function nameBefore(
  text: string,
  end: number,
  isOfName: (code: number) => boolean,
  maxLength: number,
): number {
  let start = end;
  while (end - start <= maxLength && start > 0 && isOfName(text.charCodeAt(start - 1))) start--;
  return start;
}

/** A letter, a digit, an underscore or a hyphen. */
function isOfHeader(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || isDigit(code) || code === 0x5f || code === 0x2d;
}

/** One of those, a point, a percent sign or a square bracket. */
function isOfField(code: number): boolean {
  return isOfHeader(code) || code === 0x2e || code === 0x25 || code === 0x5b || code === 0x5d;
}

/** Keeps quotes, so that JSON stays JSON. `true`, `false` and `null` say whether, not what. */
function masked(value: string): string {
  if (/^(?:true|false|null|undefined)$/.test(value)) return value;
  const quote = /^["']/.exec(value)?.[0] ?? '';
  return `${quote}${MASK}${quote}`;
}

import { isCardNumber } from '../src/log/intake/secret-values.ts';

// The expressions of redaction as they were before they had quick tests: what they mask, the present ones
// mask too. One thing was corrected in both: an option such as `-_password`.

/** A name of a host after an `@`: anything that begins with a letter, or an IPv4 address. */
const HOST = String.raw`(?=[a-z]|\d{1,3}(?:\.\d{1,3}){3}(?!\d))`;

/**
 * What stands before the last `@` of a URL's authority. The second form is a password that holds `/`,
 * `?` or `#` unencoded, and no port: such URLs are invalid, and quoted by the error that says so. The
 * third is one that looks like a port and a path, after a name that is no domain. Parsers skip line
 * breaks and tabs, and so does the fourth form.
 */
const URL_CREDENTIALS = new RegExp(
  `(?<=//)(?:${[
    String.raw`[^\s/?#@]*(?:@[^\s/?#@]*)*@`,
    String.raw`[^\s/?#@:[\]]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s@]{0,256}(?:@[^\s/?#@]*)*@`,
    String.raw`(?!localhost:)[^\s/?#@:.[\]]+:\d{1,5}[/?#][^\s@]{0,255}[^\s@/]@${HOST}`,
    String.raw`(?=[^ /?#@[\]]*:)[^ /?#@[\]]{0,256}@`,
  ].join('|')})`,
  'gi',
);

/** `user:password@host` without a scheme; a digest, a version or an address of mail is none. */
const BARE_CREDENTIALS =
  /(?<![\w/.@:%+-])(?!(?:mailto|sips?|xmpp|acct|npm|jsr|workspace|git):)[\w.%+-]{1,64}:[^\s@/:"'`]{1,128}@(?!sha\d+:)(?=(?:[a-z][\w-]{0,62}(?:\.[\w-]{1,62})+|localhost|\d{1,3}(?:\.\d{1,3}){3})(?![\w.])|[a-z][\w.-]{0,62}:\d)/gi;

/** Tokens that are known by their form: JWTs, and keys of AWS, GitHub, GitLab, Slack, Stripe, npm. */
const KNOWN_TOKEN =
  /(?<![\w-])(?:eyJ[\w-]{8,2048}\.[\w-]{4,4096}(?:\.[\w-]{0,2048})?|(?:AKIA|ASIA)[A-Z0-9]{12,16}(?![\w-])|(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_|npm_)[\w-]{10,255})/g;

/** Words at the end of a name whose value is a secret. */
const SECRET_WORDS =
  'password|passwd|pwd|passphrase|secret|(?<!unexpected )token|signature|credentials?|api[_-]?key|(?:access|account|private|shared|signing|encryption)[_-]?key';

/** A value in quotes, which may hold anything, or one up to the next of these characters. */
const valueUpTo = (ends: string, endsAfterQuote: string): string =>
  String.raw`(?:(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?)[^${endsAfterQuote}]*|[^${ends}]+)`;
const IN_URL = valueUpTo(String.raw`&\s#'"`, String.raw`&\s#'"`);

/** The lookahead leaves a masked value alone that was shortened. */
const NOT_MASKED = String.raw`(?![\\"']{0,5}\*{0,3}…$)`;

/** The value of a parameter of a URL whose name ends in a word for secrets. */
const PARAMETER = String.raw`([?&;#][\w.%-]{0,40}(?:${SECRET_WORDS}|key|sig|auth|jwt) ?= ?)${NOT_MASKED}${IN_URL}`;
const SECRET_PARAMETER = new RegExp(PARAMETER, 'gi');

const AUTHORIZATION =
  /\b((?:bearer|basic)(?:[ ]{1,3}|[ ]?[:=][ ]?))(?!authenti|authoriz|credenti)[\w.~+/|:-]{8,}=*/gi;

/** A private key in PEM, whose end may be missing. Public keys and certificates are no secrets. */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z0-9 ]{0,60}-----)?/g;

/** What every text has in which one of these expressions finds something: a quick test. */
const CORE_SUSPECT =
  /[:=@]|-----|eyJ|(?:AKIA|ASIA)|gh[pousr]_|github_pat_|glpat-|xox|[rs]k_|npm_|bearer|basic/i;

/** At the end of text that was cut: what may be the first part of a credential. */
const CUT_CREDENTIALS =
  /(?:(?<=\/\/)(?:[^ /?#]*|[^\s/?#@:[\]]*:[^\s@]{0,256})|(?<=\b(?:bearer|basic)\s{1,3})\S*|(?<![\w/.@:%+-])[\w.%+-]{1,64}:[^\s@/:"'`]{0,128}(?:@[\w.-]{0,62})?|(?<![\w-])(?:eyJ|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox|[rs]k_|npm_)[\w.-]*)$/i;

/** Replaces the credentials in a text by `***`. Must see line breaks, where there were some. */
function maskUrls(text: string): string {
  return text
    .replace(PRIVATE_KEY, '***')
    .replace(URL_CREDENTIALS, '***@')
    .replace(BARE_CREDENTIALS, '***@');
}

/** A text without what its cut may have left of a credential. */
function withoutCutCredential(text: string): string {
  return text.replace(CUT_CREDENTIALS, '');
}

/**
 * Replaces the credentials in a text that are known by their form by `***`, and leaves everything else as
 * it is: user info of URLs and secret parameters, tokens, keys, and what follows `Bearer` or `Basic`. What
 * is secret only by the name of its field is for the caller to find. The text may have several lines.
 *
 * @param wasCut - whether the text is the first part of a longer one: what may be the first part of a
 *   credential at its end is removed
 */
function maskCredentials(text: string, wasCut = false): string {
  if (!CORE_SUSPECT.test(text)) return text;
  return maskUrls(wasCut ? withoutCutCredential(text) : text)
    .replace(AUTHORIZATION, '$1***')
    .replace(KNOWN_TOKEN, '***')
    .replace(SECRET_PARAMETER, '$1***');
}

/** Replaces a part of a text, as everywhere in Temper. */
const MASK = '***';

/**
 * The name of a field in a text, and what separates it from its value: of a parameter of a URL or a form,
 * a header, an assignment, JSON, YAML, an option of a command. Every part is bounded or cannot match in
 * two ways, so the time is linear in the length of the text.
 */
const FIELD =
  /(?<![\w%.[\]-])(?:--?)?([A-Za-z_][\w.[\]%-]{0,63})(?:\\{0,4}["'])?(?:[ \t]{0,3}(?:=>?|:(?!\/\/))[ \t]{0,3}|(?<=(?:^|\s)--?[\w-]{1,64})[ \t]{1,3}(?!-))(?:\\{1,4}(?=["']))?/g;
/** Its value: in quotes, or up to a space or a delimiter. */
const VALUE = /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s'",;)}\]&]+/y;

/** A header on a line of its own, or in quotes as in a command: its value has spaces and delimiters. */
const HEADER = /(?<=^[ \t<>*]{0,4}|["'])([A-Za-z][\w-]{0,63}):[ \t]{1,8}[^\r\n"'][^\r\n"']*/gm;

/** 14 to 19 digits, with or without spaces or hyphens between them, that are not part of more. */
const CARD = /(?<![\w.+-])(?<!\d[ -])\d(?:[ -]?\d){13,18}(?![\w-])(?! ?\d)/g;

/** A quick test: no other text has a secret. */
const SUSPECT =
  /[:=@]|-----|--?[a-z_]|eyJ|A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox|[rs]k_|npm_|bearer|basic|\d(?:[ -]?\d){13}/i;

/** Whether {@link maskValues} may change a text. */
function maySecret(text: string): boolean {
  return SUSPECT.test(text);
}

/**
 * Replaces secrets inside a text by `***`: what core knows as a credential, the values of fields and
 * headers whose name is secret, and numbers of payment cards.
 *
 * @param isSecret - whether a field of this name is secret
 * @param wasCut - whether the text is the first part of a longer one
 */
export function formerMaskValues(
  text: string,
  isSecret: (name: string) => boolean,
  wasCut: boolean,
): string {
  if (!maySecret(text)) return text;
  const withoutHeaders = maskCredentials(text, wasCut).replace(HEADER, (found, name: string) =>
    isSecret(name) ? `${name}: ${MASK}` : found,
  );
  return maskFields(withoutHeaders, isSecret).replace(CARD, (found) =>
    isCardNumber(found.replaceAll(/\D/g, '')) ? MASK : found,
  );
}

/** Only the value of a secret field is consumed: the value of another may contain a field. */
function maskFields(text: string, isSecret: (name: string) => boolean): string {
  let result = '';
  let done = 0;
  FIELD.lastIndex = 0;
  for (let found = FIELD.exec(text); found !== null; found = FIELD.exec(text)) {
    if (!isSecret(found[1] as string)) continue;
    VALUE.lastIndex = FIELD.lastIndex;
    const value = VALUE.exec(text)?.[0];
    if (value === undefined) continue;
    result += text.slice(done, FIELD.lastIndex) + masked(value);
    done = FIELD.lastIndex + value.length;
    FIELD.lastIndex = done;
  }
  return result + text.slice(done);
}

/** Keeps quotes, so that JSON stays JSON. `true`, `false` and `null` say whether, not what. */
function masked(value: string): string {
  if (/^(?:true|false|null|undefined)$/.test(value)) return value;
  const quote = /^["']/.exec(value)?.[0] ?? '';
  return `${quote}${MASK}${quote}`;
}

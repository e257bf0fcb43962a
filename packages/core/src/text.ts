/** Longest text that leaves an error object, in UTF-16 code units. Spans and logs are not an archive. */
const MAX_LENGTH = 512;
/** Most lines of a text of several lines: a report or a stack with its causes. */
const MAX_LINES = 64;
/** Longest line of such a text: names and a message of {@link MAX_LENGTH}. */
const MAX_LINE_LENGTH = 1024;
/** How many errors deep a `cause` chain is followed. */
const MAX_DEPTH = 8;
/** How many errors of an AggregateError are quoted. */
const MAX_ERRORS = 3;
/** How many aggregates deep errors are quoted: aggregates of aggregates multiply. */
const MAX_NESTING = 3;
const NO_TEXT = 'an object';
const UNREADABLE = 'an object that cannot be described';

const ESC = String.fromCharCode(0x1b);
const BEL = String.fromCharCode(0x07);
/** Terminal escapes: CSI sequences, operating system commands, and two-character ones. */
const TERMINAL_ESCAPE = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?|.)`,
  'g',
);
const LINE_BREAK = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;
/** Control and format characters (bidirectional ones among them), but not the joiners of scripts. */
const CONTROL = /[[\p{Cc}\p{Cf}]--[\u200C\u200D]]/gv;
/**
 * What stands before the last `@` of a URL's authority. The second form is a password that holds `/`,
 * `?` or `#` unencoded, and no port: such URLs are invalid, and quoted by the error that says so.
 */
const URL_CREDENTIALS =
  /(?<=\/\/)(?:[^\s/?#@]*(?:@[^\s/?#@]*)*@|[^\s/?#@:[\]]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s@]{0,256}(?:@[^\s/?#@]*)*@)/g;
/** At the end of text that was cut: what may be the first part of a credential. */
const CUT_CREDENTIALS =
  /(?:(?<=\/\/)(?:[^\s/?#]*|[^\s/?#@:[\]]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s@]{0,256})|(?<=\b(?:bearer|basic)\s+)\S*)$/i;
/**
 * The value of a parameter of a URL whose name ends in a word for secrets, and of such a key in a
 * connection string. The lookahead leaves a masked value alone that was shortened.
 */
const SECRET_PARAMETER =
  /((?:[?&;#][\w.%-]{0,40}(?:token|key|secret|password|passwd|pwd|passphrase|signature|sig|auth|jwt)|(?<![\w-])(?:password|passwd|pwd|passphrase|(?:client_?)?secret|api_?key|(?:access|refresh|id)_?token)) ?= ?)(?!\*{0,3}…$)(?:(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?)[^&\s#'"]*|[^&\s#'"]+)/gi;
const AUTHORIZATION = /\b(bearer|basic)\s+(?!authenti|authoriz|credenti)[a-z0-9._~+/-]{8,}=*/gi;

/**
 * Makes text that somebody else wrote fit to leave the process in spans, logs, metrics, HTTP answers
 * and terminals: at most `maxLength` code units, well-formed, one line, without control and
 * bidirectional characters or terminal escapes, and without credentials in URLs and authorization
 * fields. Applying it twice changes nothing more. Never throws.
 *
 * @param text - any value; anything but a string is described
 * @param maxLength - in UTF-16 code units, the ellipsis included; an integer >= 0
 */
export function safeText(text: unknown, maxLength: number = MAX_LENGTH): string {
  const whole = typeof text === 'string' ? text : describe(text);
  if (maxLength < 1) return '';
  // Bounded before the expressions see it. A credential that the cut would split is dropped whole.
  const bound = maxLength * 4;
  const head = whole.length <= bound ? whole : whole.slice(0, bound).replace(CUT_CREDENTIALS, '');
  const clean = head
    .replace(TERMINAL_ESCAPE, '')
    .replace(LINE_BREAK, ' ')
    .replace(CONTROL, '\uFFFD')
    .replace(URL_CREDENTIALS, '***@')
    .replace(SECRET_PARAMETER, '$1***')
    .replace(AUTHORIZATION, '$1 ***')
    .toWellFormed();
  if (clean.length <= maxLength && head.length === whole.length) return clean;
  return `${clean.slice(0, maxLength - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/**
 * {@link safeText} for text of several lines, such as a stack or a report: every line is scrubbed and
 * bounded by itself, and indentation is kept. Never throws.
 *
 * @param text - any value; anything but a string is described
 * @param maxLines - lines beyond it are replaced by one that says so
 * @param maxLength - of one line, in UTF-16 code units
 */
export function safeLines(
  text: unknown,
  maxLines: number = MAX_LINES,
  maxLength: number = MAX_LINE_LENGTH,
): string {
  const whole = typeof text === 'string' ? text : describe(text);
  const lines = whole.split(/\r?\n/, maxLines + 1);
  const kept = lines.slice(0, maxLines).map((line) => safeText(line, maxLength));
  if (lines.length > maxLines) kept.push('… more lines were left out');
  return kept.join('\n');
}

/**
 * What a failure says, fit to leave the process: its own message, and the innermost cause where that
 * adds something. An `AggregateError` quotes its first errors. Bounded and scrubbed as by
 * {@link safeText}. Never throws.
 *
 * @param failure - whatever was thrown or returned
 */
export function messageOf(failure: unknown, maxLength: number = MAX_LENGTH): string {
  try {
    const own = ownMessage(failure, maxLength, 0);
    const inner = innermost(failure);
    if (inner === undefined) return own;
    const said = ownMessage(inner, maxLength, 0);
    if (own.includes(said) || said === NO_TEXT) return own;
    const room = maxLength - Math.min(said.length, maxLength >> 1) - 2;
    return safeText(`${safeText(own, room)}: ${said}`, maxLength);
  } catch {
    return safeText(UNREADABLE, maxLength); // a hostile getter
  }
}

/** @param depth - how many aggregates deep the failure stands */
function ownMessage(failure: unknown, maxLength: number, depth: number): string {
  if (typeof failure !== 'object' || failure === null) return safeText(failure, maxLength);
  const { message, errors, code, name } = failure as Record<string, unknown>;
  if (typeof message === 'string' && message !== '') return safeText(message, maxLength);
  if (Array.isArray(errors) && errors.length > 0 && depth < MAX_NESTING) {
    const quoted = errors
      .slice(0, MAX_ERRORS)
      .map((each) => ownMessage(each, maxLength, depth + 1));
    const more = errors.length - quoted.length;
    const distinct = [...new Set(quoted)].join('; ');
    return safeText(more > 0 ? `${distinct}; and ${more} more` : distinct, maxLength);
  }
  for (const word of [code, name]) {
    if (typeof word === 'string' && word !== '') return safeText(word, maxLength);
  }
  return safeText(failure, maxLength);
}

/** The last error of a cause chain; `undefined` when there is no cause. */
function innermost(failure: unknown): unknown {
  let current = failure;
  const seen = new Set<unknown>();
  while (seen.size < MAX_DEPTH && typeof current === 'object' && current !== null) {
    seen.add(current);
    const { cause, errors, message } = current as Record<string, unknown>;
    const next =
      cause ??
      (Array.isArray(errors) && message !== '' && message !== undefined ? errors[0] : undefined);
    if (next === undefined || next === null || seen.has(next)) break;
    current = next;
  }
  return current === failure ? undefined : current;
}

/** Names a value that is no text. Never throws. */
function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return Array.isArray(value) ? `an array of ${value.length}` : NO_TEXT;
  } catch {
    return UNREADABLE; // a revoked proxy
  }
}

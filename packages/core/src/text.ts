import { maskSecrets, maskUrls, withoutCutCredential } from './credentials.ts';

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
const CONTROL = /(?![\u200C\u200D])[\p{Cc}\p{Cf}]/gu;
/**
 * Makes text that somebody else wrote fit to leave the process in spans, logs, metrics, HTTP answers
 * and terminals: at most `maxLength` code units, well-formed, one line, without control and
 * bidirectional characters or terminal escapes, and without credentials: in URLs, in fields such as
 * `password=…`, `token: …` and `Authorization`, and tokens that are known by their form. Applied again, it may remove the punctuation behind a `***`.
 * Never throws.
 *
 * @param text - any value; anything but a string is described
 * @param maxLength - in UTF-16 code units, the ellipsis included; an integer >= 0
 */
export function safeText(text: unknown, maxLength: number = MAX_LENGTH): string {
  const whole = typeof text === 'string' ? text : describe(text);
  if (maxLength < 1) return '';
  // Bounded before the expressions see it. A credential that the cut would split is dropped whole.
  const bound = maxLength * 4;
  const head = whole.length <= bound ? whole : withoutCutCredential(whole.slice(0, bound));
  const line = maskUrls(head.replace(TERMINAL_ESCAPE, ''))
    .replace(LINE_BREAK, ' ')
    .replace(CONTROL, '\uFFFD');
  const clean = maskSecrets(line).toWellFormed();
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
  const bounded = lines.slice(0, maxLines).map((line) => line.slice(0, maxLength * 4 + 1));
  // A URL may be broken over lines.
  const kept = maskUrls(bounded.join('\n'))
    .split('\n')
    .map((line) => safeText(line, maxLength));
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

import {
  classify,
  type ErrorCategory,
  type ErrorSeverity,
  isFailure,
  isRefusal,
  isTemperError,
} from '@temper/core';
import {
  ask,
  checkKnown,
  checkOneOf,
  checkType,
  ERROR_CATEGORIES,
  ERROR_SEVERITIES,
  isError,
  show,
} from '@temper/core/policy';

/** What an error of an operation counts as. */
export interface Verdict {
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
}

/**
 * How errors are told apart, before a table says what each counts as. `bug` is a bare `TypeError`,
 * `RangeError`, `ReferenceError` and the like, a stack overflow among them.
 */
export type ErrorKind = 'invalid' | 'unsupported' | 'connection' | 'timeout' | 'bug' | 'other';

/** One row of a table: errors of this kind count as this. */
export interface ErrorRow extends Verdict {
  /** An {@link ErrorKind}, or a kind of your own. `other` is for every error without a row. */
  readonly kind: ErrorKind | (string & Record<never, never>);
  /**
   * Selects errors that do not state their `kind` themselves. It is called before anything else is
   * looked at, in the order of the rows. An error that it throws is logged and counts as `false`.
   */
  readonly match?: (error: unknown) => boolean;
  /**
   * Whose fault such an error is. An error of the caller opens no breaker, is not retried and gets no
   * degraded answer.
   *
   * @defaultValue 'caller' for `invalid` and `unsupported`; core's `isFailure` decides about others
   */
  readonly fault?: 'caller' | 'callee';
  /**
   * Whether the same call may succeed a little later.
   *
   * @defaultValue true for `connection` and `timeout`; core's classification decides about others
   */
  readonly transient?: boolean;
}

/** Tells what the errors of one operation count as. None of its methods throws. */
export interface ErrorTable {
  readonly rows: readonly ErrorRow[];
  /** The kind of an error: by `match`, by its own `kind` or that of a cause, or as core classifies it. */
  kindOf(error: unknown): string;
  /**
   * What an error counts as. A refusal of one of our own policies (a limit, an open circuit) says
   * nothing about the operation, and keeps its own classification.
   */
  verdictOf(error: unknown): Verdict;
  /** Whether an error is the caller's own and says nothing against the operation. */
  isCallersFault(error: unknown): boolean;
  /** Whether a retry may help. Never for a refusal of our own policies, or for what the caller did wrong. */
  isWorthRetrying(error: unknown): boolean;
}

const ROW: readonly (keyof ErrorRow)[] = [
  'kind',
  'category',
  'severity',
  'match',
  'fault',
  'transient',
];

/** Kinds that an error can state in any table. */
const STATED: readonly string[] = ['invalid', 'unsupported', 'connection', 'timeout'];

/** How many errors deep a `cause` chain is asked for a kind. */
const MAX_DEPTH = 8;

/**
 * The first answer about what was thrown, of whatever type, or an error that it was caused by. Another cause
 * may be anything, such as a parsed body. Never throws.
 */
function inChain<T>(
  error: unknown,
  look: (fields: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  try {
    let at = error;
    for (let depth = 0; depth < MAX_DEPTH && typeof at === 'object' && at !== null; depth++) {
      const fields = at as Readonly<Record<string, unknown>>;
      const answer = look(fields);
      if (answer !== undefined) return answer;
      at = isError(fields.cause) ? fields.cause : undefined;
    }
  } catch {
    // a hostile getter
  }
  return undefined;
}

const BUGS: readonly unknown[] = [
  'TypeError',
  'RangeError',
  'ReferenceError',
  'EvalError',
  'URIError',
  'AssertionError',
];

function nameOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.name) : '';
  } catch {
    return ''; // a hostile getter
  }
}

/**
 * Makes a table. Without rows, errors count as core classifies them.
 *
 * @param rows - one for each kind that counts as something else
 * @throws {TypeError} when a row is no object, or has an unknown or invalid member, or a kind occurs twice
 */
export function errorTable(rows: readonly ErrorRow[] = []): ErrorTable {
  return new Table(rows, 'errorTable');
}

/** @param owner - who refuses the rows, in messages */
export function errorTableOf(rows: readonly ErrorRow[], owner: string): ErrorTable {
  return new Table(rows, owner);
}

class Table implements ErrorTable {
  readonly rows: readonly ErrorRow[];
  readonly #owner: string;
  readonly #byKind = new Map<string, ErrorRow>();

  constructor(rows: readonly ErrorRow[], owner: string) {
    if (!Array.isArray(rows)) {
      throw new TypeError(`${owner}: errors must be an array of rows, got ${show(rows)}.`);
    }
    this.#owner = owner;
    this.rows = rows.map((row, index) => {
      checkRow(`${owner}[${index}]`, row);
      if (this.#byKind.has(row.kind)) {
        throw new TypeError(`${owner}[${index}]: kind ${show(row.kind)} has a row already.`);
      }
      const copy = { ...row };
      this.#byKind.set(row.kind, copy);
      return copy;
    });
  }

  kindOf(error: unknown): string {
    return this.#statedKind(error) ?? this.#foundKind(error);
  }

  verdictOf(error: unknown): Verdict {
    const own = classify(error);
    if (isRefusal(error)) return verdict(own);
    const kind = this.kindOf(error);
    const row = this.#byKind.get(kind);
    if (row !== undefined) return verdict(row);
    const other = this.#byKind.get('other');
    if (kind === 'bug') return { category: 'internal', severity: (other ?? own).severity };
    return verdict(other ?? own);
  }

  isCallersFault(error: unknown): boolean {
    const stated = this.#statedKind(error);
    const kind = stated ?? this.#foundKind(error);
    const fault = this.#byKind.get(kind)?.fault;
    if (fault !== undefined && !isRefusal(error)) return fault === 'caller';
    if (kind === 'invalid' || kind === 'unsupported') return true;
    return stated === undefined && !isFailure({ ok: false, error });
  }

  isWorthRetrying(error: unknown): boolean {
    if (this.isCallersFault(error)) return false;
    const { transient } = classify(error);
    if (isRefusal(error)) return transient;
    const stated = this.#statedKind(error);
    const row = this.#byKind.get(stated ?? this.#foundKind(error));
    if (row?.transient !== undefined) return row.transient;
    if (transient) return true;
    return !isTemperError(error) && (stated === 'connection' || stated === 'timeout');
  }

  /** The kind by a row's `match`, or as the error, or what it was caused by, says itself. */
  #statedKind(error: unknown): string | undefined {
    for (const { kind, match } of this.rows) {
      if (match !== undefined && ask(this.#owner, 'match', match, error)) return kind;
    }
    return inChain(error, ({ kind }) => {
      if (typeof kind !== 'string' || kind === 'bug' || kind === 'other') return undefined;
      return STATED.includes(kind) || this.#byKind.has(kind) ? kind : undefined;
    });
  }

  #foundKind(error: unknown): ErrorKind {
    const { category } = classify(error);
    if (category === 'validation') return 'invalid';
    if (category === 'internal' && this.#refusesInput(error)) return 'invalid';
    if (category === 'network') return 'connection';
    if (category === 'timeout') return 'timeout';
    if (nameOf(error).startsWith('Unsupported')) return 'unsupported';
    const isBug = (fields: { readonly name?: unknown }): true | undefined =>
      BUGS.includes(fields.name) || undefined;
    return category === 'internal' && inChain(error, isBug) === true ? 'bug' : 'other';
  }

  /**
   * Whether what the caller gave was refused. Core takes an argument that Node refuses for a bug, and a
   * `SyntaxError` for a bad answer. To an operation that is given the caller's source, which has a row for
   * invalid source, it is a mistake in that.
   */
  #refusesInput(error: unknown): boolean {
    const takesSource = this.#byKind.has('invalid');
    return (
      inChain(
        error,
        ({ name, code }) =>
          (name === 'SyntaxError' && takesSource) ||
          (typeof code === 'string' && /^ERR_(?:INVALID_ARG_|OUT_OF_RANGE$)/.test(code)) ||
          undefined,
      ) ?? false
    );
  }
}

const verdict = ({ category, severity }: Verdict): Verdict => ({ category, severity });

function checkRow(owner: string, row: ErrorRow): void {
  checkKnown(owner, row, ROW);
  checkType(owner, 'kind', row.kind, 'string');
  checkOneOf(owner, 'category', row.category, ERROR_CATEGORIES);
  checkOneOf(owner, 'severity', row.severity, ERROR_SEVERITIES);
  if (row.match !== undefined) checkType(owner, 'match', row.match, 'function');
  if (row.fault !== undefined) checkOneOf(owner, 'fault', row.fault, ['caller', 'callee']);
  if (row.transient !== undefined) checkType(owner, 'transient', row.transient, 'boolean');
}

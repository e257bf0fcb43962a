import { randomUUID } from 'node:crypto';
import {
  type ClassificationRule,
  classify,
  ERROR_CATEGORIES,
  ERROR_SEVERITIES,
  type ErrorCategory,
  type ErrorSeverity,
} from './classify.ts';
import { type Clock, systemClock } from './clock.ts';
import {
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  messageOf,
  show,
} from './options.ts';
import { errorCounter } from './telemetry/error-counts.ts';

/** One error, classified and remembered. */
export interface ErrorContext {
  /** `err_` and sixteen hexadecimal digits. */
  readonly errorId: string;
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
  readonly message: string;
  /** When it was handled, in milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** What the handler said about the circumstances. */
  readonly context: Readonly<Record<string, unknown>>;
  /** How many times the work was tried again before the error got here. */
  readonly retryCount: number;
  /** The error itself. Left out of the JSON form. */
  readonly lastError: unknown;
  /** Everything but {@link lastError}. */
  toJSON(): Omit<ErrorContext, 'lastError' | 'toJSON'>;
}

/** What the handler of an error may say about it. */
export interface HandleErrorOptions {
  /** Overrides what classification finds. */
  readonly category?: ErrorCategory;
  /** Overrides what classification finds. */
  readonly severity?: ErrorSeverity;
  readonly context?: Readonly<Record<string, unknown>>;
  /** @defaultValue what the error says (`attempts - 1` of an exhausted retry), else 0 */
  readonly retryCount?: number;
}

/** Counts and levels of an {@link ErrorLog}. */
export interface ErrorStats {
  /** All errors ever handled, not only those still remembered. */
  readonly total: number;
  readonly byCategory: Readonly<Record<ErrorCategory, number>>;
  readonly bySeverity: Readonly<Record<ErrorSeverity, number>>;
  /** How many are remembered now. */
  readonly remembered: number;
}

/** Options of {@link errorLog}. */
export interface ErrorLogOptions {
  /** Names the log on `temper.errors`. @defaultValue 'errors' */
  readonly name?: string;
  /**
   * How many errors are remembered; the oldest goes first. Totals count all.
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer from 0 to 1 000 000
   */
  readonly capacity?: number;
  /** Asked before the built-in classification. @defaultValue none */
  readonly rules?: readonly ClassificationRule[];
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** Classifies errors, counts them, and remembers the last ones. */
export interface ErrorLog {
  /** Takes in one error. Never throws for what the error is. */
  handle(error: unknown, options?: HandleErrorOptions): ErrorContext;
  /** The last `limit` errors, oldest first. 0 is none. */
  recent(limit?: number): readonly ErrorContext[];
  stats(): ErrorStats;
}

class BoundedErrorLog implements ErrorLog {
  readonly #capacity: number;
  readonly #rules: readonly ClassificationRule[];
  readonly #clock: Clock;
  readonly #count: ReturnType<typeof errorCounter>;
  readonly #byCategory = zeros(ERROR_CATEGORIES);
  readonly #bySeverity = zeros(ERROR_SEVERITIES);
  /** A ring: the oldest entry is at `#total % capacity` once it is full. */
  readonly #ring: ErrorContext[] = [];
  #total = 0;

  constructor(options: ErrorLogOptions) {
    const owner = 'errorLog';
    checkKnown(owner, options, ['name', 'capacity', 'rules', 'clock']);
    const name = checkName(owner, options.name ?? 'errors');
    this.#capacity = checkNumber(owner, 'capacity', options.capacity ?? 1000, {
      min: 0,
      max: 1_000_000,
      integer: true,
    });
    const rules: unknown = options.rules ?? [];
    if (!Array.isArray(rules)) {
      throw new TypeError(`${owner}: rules must be an array of functions, got ${show(rules)}.`);
    }
    this.#rules = [...rules];
    for (const rule of this.#rules) checkType(owner, 'rules[]', rule, 'function');
    this.#clock = checkClock(owner, options.clock ?? systemClock);
    this.#count = errorCounter(name);
  }

  handle(error: unknown, options: HandleErrorOptions = {}): ErrorContext {
    const found = classify(error, this.#rules);
    const category = checkOneOf(
      'handle',
      'category',
      options.category ?? found.category,
      ERROR_CATEGORIES,
    );
    const severity = checkOneOf(
      'handle',
      'severity',
      options.severity ?? found.severity,
      ERROR_SEVERITIES,
    );
    const entry = new HandledError(error, category, severity, options, this.#clock.now());
    this.#count(category, severity).value++;
    this.#byCategory[category]++;
    this.#bySeverity[severity]++;
    if (this.#capacity > 0) {
      letGoOfFrames(error);
      this.#ring[this.#total % this.#capacity] = entry;
    }
    this.#total++;
    return entry;
  }

  recent(limit: number = this.#capacity): readonly ErrorContext[] {
    checkNumber('recent', 'limit', limit, { min: 0, integer: true });
    const start = this.#ring.length < this.#capacity ? 0 : this.#total % (this.#capacity || 1);
    const ordered = [...this.#ring.slice(start), ...this.#ring.slice(0, start)];
    return limit === 0 ? [] : ordered.slice(-limit);
  }

  stats(): ErrorStats {
    return {
      total: this.#total,
      byCategory: { ...this.#byCategory },
      bySeverity: { ...this.#bySeverity },
      remembered: this.#ring.length,
    };
  }
}

class HandledError implements ErrorContext {
  readonly errorId: string;
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
  readonly message: string;
  readonly timestamp: number;
  readonly context: Readonly<Record<string, unknown>>;
  readonly retryCount: number;
  readonly lastError: unknown;

  constructor(
    error: unknown,
    category: ErrorCategory,
    severity: ErrorSeverity,
    options: HandleErrorOptions,
    timestamp: number,
  ) {
    this.errorId = `err_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    this.category = category;
    this.severity = severity;
    this.message = messageOf(error);
    this.timestamp = timestamp;
    this.context = { ...options.context };
    this.retryCount = options.retryCount ?? retriesOf(error);
    this.lastError = error;
  }

  toJSON(): Omit<ErrorContext, 'lastError' | 'toJSON'> {
    const { errorId, category, severity, message, timestamp, context, retryCount } = this;
    return { errorId, category, severity, message, timestamp, context, retryCount };
  }
}

/** How many errors deep a `cause` chain is followed. */
const MAX_DEPTH = 8;

/**
 * Has V8 write the stack of an error as text. Until somebody reads it, an error holds the functions of
 * its frames with all that they close over, and a log of a thousand errors would keep all of it.
 */
function letGoOfFrames(error: unknown): void {
  try {
    let current = error;
    for (let depth = 0; current instanceof Error && depth < MAX_DEPTH; depth++) {
      void current.stack;
      current = current.cause;
    }
  } catch {
    // A hostile getter, or somebody's Error.prepareStackTrace.
  }
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}

function retriesOf(error: unknown): number {
  try {
    const { attempts } = error as { attempts?: unknown };
    return typeof attempts === 'number' && attempts >= 1 ? attempts - 1 : 0;
  } catch {
    return 0;
  }
}

/**
 * Makes an {@link ErrorLog}.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function errorLog(options: ErrorLogOptions = {}): ErrorLog {
  return new BoundedErrorLog(options);
}

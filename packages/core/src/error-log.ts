import { causesOf } from './causes.ts';
import {
  type ClassificationRule,
  classify,
  ERROR_CATEGORIES,
  ERROR_SEVERITIES,
  type ErrorCategory,
  type ErrorSeverity,
} from './classify.ts';
import { type Clock, clockRule, systemClock } from './clock.ts';
import {
  checkKnown,
  checkNumber,
  checkOneOf,
  checkType,
  nameRule,
  numberRule,
  resolveOptions,
  show,
} from './options.ts';
import { randomId } from './random.ts';
import { retryDetails } from './retry-details.ts';
import { errorCounts, releaseErrorCounts } from './telemetry/error-counts.ts';
import { type TelemetryScope, telemetryRule } from './telemetry/within.ts';
import { messageOf } from './text.ts';

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
  /** @defaultValue the retries that ended with this error, else 0 */
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
  /**
   * Where the counts go, and which attributes they have besides; see `telemetryScope`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** Classifies errors, counts them, and remembers the last ones. */
export interface ErrorLog extends Disposable {
  /** Classifies, counts and remembers one error. Never throws because of the error itself. */
  handle(error: unknown, options?: HandleErrorOptions): ErrorContext;
  /** The last `limit` errors, oldest first. 0 is none. */
  recent(limit?: number): readonly ErrorContext[];
  stats(): ErrorStats;
  /** Ends the log's series in metrics, once they were exported again. The log itself goes on to work. */
  [Symbol.dispose](): void;
}

const CAPACITY = { min: 0, max: 1_000_000, integer: true };

class BoundedErrorLog implements ErrorLog {
  readonly name: string;
  readonly #capacity: number;
  readonly #rules: readonly ClassificationRule[];
  readonly #clock: Clock;
  readonly #telemetry: TelemetryScope | undefined;
  readonly #counts: ReturnType<typeof errorCounts>;
  /** A ring: the oldest entry is at `#total % capacity` once it is full. */
  readonly #ring: ErrorContext[] = [];
  #total = 0;

  constructor(options: ErrorLogOptions) {
    const all = resolveOptions<ErrorLogOptions, 'telemetry'>(
      'errorLog',
      options,
      { name: 'errors', capacity: 1000, rules: [], clock: systemClock },
      {
        name: nameRule,
        capacity: numberRule(CAPACITY),
        rules: checkRules,
        telemetry: telemetryRule,
        clock: clockRule,
      },
    );
    this.name = all.name;
    this.#capacity = all.capacity;
    this.#rules = [...all.rules];
    this.#clock = all.clock;
    this.#telemetry = all.telemetry;
    this.#counts = errorCounts(this, all.telemetry);
  }

  handle(error: unknown, options: HandleErrorOptions = {}): ErrorContext {
    checkKnown('handle', options, ['category', 'severity', 'context', 'retryCount']);
    const found = classify(error, this.#rules);
    const { category = found.category, severity = found.severity } = options;
    checkOneOf('handle', 'category', category, ERROR_CATEGORIES);
    checkOneOf('handle', 'severity', severity, ERROR_SEVERITIES);
    const { retryCount, context } = options;
    if (retryCount !== undefined) {
      checkNumber('handle', 'retryCount', retryCount, { min: 0, integer: true });
    }
    if (context !== undefined) checkType('handle', 'context', context, 'object');
    const entry = new HandledError(error, category, severity, options, this.#clock.now());
    this.#counts[`${category} ${severity}`]++;
    if (this.#capacity > 0) {
      materialiseStacks(error);
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
      byCategory: sums(ERROR_CATEGORIES, (category) =>
        ERROR_SEVERITIES.map((severity) => this.#counts[`${category} ${severity}`]),
      ),
      bySeverity: sums(ERROR_SEVERITIES, (severity) =>
        ERROR_CATEGORIES.map((category) => this.#counts[`${category} ${severity}`]),
      ),
      remembered: this.#ring.length,
    };
  }

  [Symbol.dispose](): void {
    releaseErrorCounts(this, this.#telemetry);
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
    this.errorId = `err_${randomId().slice(0, 16)}`;
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

/**
 * Has V8 turn the stack of an error into text. Before its first read, an error retains the functions
 * of its frames with all that they close over, and a log of a thousand errors would keep all of it.
 */
function materialiseStacks(error: unknown): void {
  try {
    for (const each of causesOf(error)) if (each instanceof Error) void each.stack;
  } catch {
    // A hostile getter, or somebody's Error.prepareStackTrace.
  }
}

function sums<K extends string>(keys: readonly K[], of: (key: K) => number[]): Record<K, number> {
  const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
  return Object.fromEntries(keys.map((key) => [key, sum(of(key))])) as Record<K, number>;
}

function checkRules(owner: string, option: string, rules: unknown): void {
  if (!Array.isArray(rules)) {
    throw new TypeError(`${owner}: ${option} must be an array of functions, got ${show(rules)}.`);
  }
  for (const each of rules) checkType(owner, `${option}[]`, each, 'function');
}

function retriesOf(error: unknown): number {
  return (retryDetails(error)?.attempts ?? 1) - 1;
}

/**
 * Creates an {@link ErrorLog}.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function errorLog(options: ErrorLogOptions = {}): ErrorLog {
  return new BoundedErrorLog(options);
}

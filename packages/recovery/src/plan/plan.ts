import type { CircuitBreakerOptions } from '@temper/breaker';
import {
  type CallContext,
  type Clock,
  type Random,
  type ShouldHandle,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkKnown,
  checkName,
  checkOneOf,
  checkType,
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  show,
  systemRandom,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { RetryOptions } from '@temper/retry';
import { durationRule, type ObservedDurationOptions } from '../latency/observed-duration.ts';
import { checkReserved } from '../reserved-options.ts';

/** What a plan can do about a failed operation. */
export type RecoveryStrategy = 'retry' | 'circuit_break' | 'fallback' | 'graceful_degrade';

/** Every {@link RecoveryStrategy}. The first two call the operation, the others answer in its place. */
export const RECOVERY_STRATEGIES: readonly RecoveryStrategy[] = [
  'retry',
  'circuit_break',
  'fallback',
  'graceful_degrade',
];

/** Strategies that decide whether and when the operation is called. */
const GUARDS: readonly RecoveryStrategy[] = ['retry', 'circuit_break'];

/** A failed operation, as its handlers see it. */
export interface RecoveryEvent {
  readonly operation: string;
  /** What the operation failed with after all calls. */
  readonly error: unknown;
  /** How often the operation was called; 0 when an open circuit rejected the call. */
  readonly attempts: number;
  /** The arguments of the operation, from `register` or the option `args`. */
  readonly args: readonly unknown[];
  /** Its signal aborts when the caller cancels, or when the handler takes longer than `timeoutMs`. */
  readonly context: CallContext;
}

/** Answers in place of an operation that failed. */
export type RecoveryHandler = (event: RecoveryEvent) => unknown;

/** What to do when an operation fails. */
export interface RecoveryPlan {
  /**
   * Names the operation in errors, spans and metrics. Low cardinality.
   *
   * @throws {TypeError} at construction, unless a string of 1 to 128 characters
   */
  readonly operation: string;
  /**
   * One strategy, or several in sequence. `retry` and `circuit_break` come first, the outer before the
   * inner; `fallback` and `graceful_degrade` follow, and are tried one after the other.
   *
   * @defaultValue 'retry'
   */
  readonly strategy?: RecoveryStrategy | readonly RecoveryStrategy[];
  /**
   * Most calls after the first, with `retry`. (`maxAttempts` of a retry policy counts the first too.)
   *
   * @defaultValue 3
   * @throws {RangeError} at construction, unless an integer >= 0 and finite
   */
  readonly maxRetries?: number;
  /**
   * Wait before the first retry, in milliseconds, with `retry`. Growth and jitter are those of a retry
   * policy.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless finite, >= 0 and less than `timeoutMs`
   */
  readonly retryDelayMs?: number;
  /**
   * Further options of the retry: backoff, jitter, budget, …. Its `shouldHandle` says which of the
   * outcomes that count as failed are retried: by default those that are transient.
   *
   * @defaultValue those of a retry policy
   * @throws {TypeError} at construction, when an option is unknown or set by the plan itself
   */
  readonly retry?: PlannedRetryOptions;
  /**
   * Options of the circuit breaker.
   *
   * @defaultValue those of a breaker
   * @throws {TypeError} at construction, when an option is unknown or set by the plan itself
   */
  readonly breaker?: PlannedBreakerOptions;
  /**
   * Longest time for the operation, in milliseconds: all its calls, and the waits between them. Its
   * signal then aborts, and the handlers are tried. Each handler has the same time.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * Longest time for one call, in milliseconds, or a duration that follows observed latencies.
   *
   * @defaultValue none
   * @throws {RangeError} at construction, unless > 0 and less than `timeoutMs`
   */
  readonly attemptTimeoutMs?: number | ObservedDurationOptions;
  /** Returns the value of `fallback`: a function, or the name of a handler. */
  readonly fallback?: RecoveryHandler | string;
  /** Returns the partial result of `graceful_degrade`: a function, or the name of a handler. */
  readonly degrade?: RecoveryHandler | string;
  /**
   * Which outcomes of the operation count as failed: errors, values, or both. For every strategy alike:
   * the retry repeats them when they are transient, the breaker counts them, and the handlers answer in
   * their place. A value that counts as failed is transient, and becomes the `value` of a
   * `FailedResultError`. Not asked about calls that were cancelled. An error in the predicate is logged
   * and counts as `false`.
   *
   * @defaultValue `isFailure` of `@temper/core`: every error but the caller's own mistakes, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Which executions get spans: all, those that did not succeed at the first call, or none.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
}

/** Options of a retry that a plan does not set itself. */
type PlannedRetryOptions = Omit<
  RetryOptions,
  'name' | 'maxAttempts' | 'initialDelayMs' | 'attemptTimeoutMs' | 'clock' | 'random' | 'telemetry'
>;

/** Options of a breaker that a plan does not set itself. */
type PlannedBreakerOptions = Omit<
  CircuitBreakerOptions,
  'name' | 'shouldHandle' | 'clock' | 'telemetry'
>;

/** What a plan sets itself, and what to do instead. */
const RETRY_RESERVED: Readonly<Record<string, string>> = {
  name: 'it is the operation of the plan',
  maxAttempts: 'set maxRetries of the plan',
  initialDelayMs: 'set retryDelayMs of the plan',
  attemptTimeoutMs: 'set attemptTimeoutMs of the plan',
  clock: 'give the clock beside the plan',
  random: 'give random beside the plan',
  telemetry: 'give telemetry beside the plan',
};
const BREAKER_RESERVED: Readonly<Record<string, string>> = {
  name: 'it is the operation of the plan',
  shouldHandle: 'set shouldHandle of the plan',
  clock: 'give the clock beside the plan',
  telemetry: 'give telemetry beside the plan',
};

/** Handlers by name, for plans that are written as data. */
export type RecoveryHandlers = Readonly<Record<string, RecoveryHandler>>;

/** What plans need besides themselves. */
export interface PlanEnvironment {
  /** Handlers that plans may name. @defaultValue none */
  readonly handlers?: RecoveryHandlers;
  /**
   * Where the telemetry of the plans and of their policies goes, and which attributes their metrics have
   * besides; see `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The options of a plan that may stay unset. */
type Unset = 'retry' | 'breaker' | 'attemptTimeoutMs' | 'fallback' | 'degrade' | 'shouldHandle';

/** The defaults of a plan, as the README's table shows them. */
export const PLAN_DEFAULTS: Omit<Defaults<RecoveryPlan, Unset>, 'operation'> = {
  strategy: 'retry',
  maxRetries: 3,
  retryDelayMs: 100,
  timeoutMs: 5000,
  spans: DEFAULT_SPANS,
};

/** A plan that was checked, with its defaults filled in. */
export interface ResolvedPlan
  extends Omit<Resolved<RecoveryPlan, Unset>, 'strategy' | 'fallback' | 'degrade'> {
  readonly strategies: readonly RecoveryStrategy[];
  readonly fallback: RecoveryHandler | undefined;
  readonly degrade: RecoveryHandler | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** The option `telemetry` of every policy, where there is one. */
  readonly within: { readonly telemetry?: TelemetryScope };
}

const FINITE = { min: 0, infinite: false };
const DURATION = { ...FINITE, aboveMin: true };

const RULES: { readonly [K in keyof RecoveryPlan]-?: OptionRule } = {
  operation: (owner, _option, value) => void checkName(owner, value),
  strategy: (owner, _option, value) => void checkStrategies(owner, value),
  maxRetries: numberRule({ ...FINITE, integer: true }),
  retryDelayMs: numberRule(FINITE),
  retry: partRule(RETRY_RESERVED),
  breaker: partRule(BREAKER_RESERVED),
  timeoutMs: numberRule(DURATION),
  attemptTimeoutMs: durationRule(DURATION),
  // Handlers are looked up by name: see `handlerOf`.
  fallback: () => {},
  degrade: () => {},
  shouldHandle: typeRule('function'),
  spans: oneOfRule(SPAN_MODES),
};

function partRule(reserved: Readonly<Record<string, string>>): OptionRule {
  return (owner, option, value) => {
    checkType(owner, option, value, 'object');
    checkReserved(owner, option, value as object, reserved);
  };
}

/**
 * Checks a plan and fills in the defaults.
 *
 * @throws {TypeError | RangeError} naming the plan, the field, its range and its value
 */
export function resolvePlan(plan: RecoveryPlan, environment: PlanEnvironment = {}): ResolvedPlan {
  checkKnown('recovery plan', plan, Object.keys(RULES));
  const operation = checkOperation(plan.operation);
  const owner = `recovery plan '${operation}'`;
  const defaults = { ...PLAN_DEFAULTS, operation };
  const resolved = resolveOptions<RecoveryPlan, Unset>(owner, plan, defaults, RULES);
  const { strategy, fallback, degrade, ...rest } = resolved;
  const strategies = checkStrategies(owner, strategy);
  const { handlers, clock, random, telemetry } = resolveEnvironment(owner, environment);
  return {
    ...rest,
    strategies,
    fallback: handlerOf(owner, 'fallback', 'fallback', fallback, strategies, handlers),
    degrade: handlerOf(owner, 'degrade', 'graceful_degrade', degrade, strategies, handlers),
    clock,
    random,
    within: telemetry === undefined ? {} : { telemetry },
  };
}

/** Checks what plans need besides themselves, and fills in the defaults. */
function resolveEnvironment(
  owner: string,
  environment: PlanEnvironment,
): Resolved<PlanEnvironment, 'telemetry'> {
  const defaults = { handlers: {}, clock: systemClock, random: systemRandom };
  return resolveOptions<PlanEnvironment, 'telemetry'>(
    owner,
    environment,
    defaults,
    ENVIRONMENT_RULES,
  );
}

/** The rules of {@link PlanEnvironment}. */
export const ENVIRONMENT_RULES: { readonly [K in keyof PlanEnvironment]-?: OptionRule } = {
  handlers: (owner, option, handlers) => {
    checkType(owner, option, handlers, 'object');
    for (const [name, handler] of Object.entries(handlers as object)) {
      checkType(owner, `${option}[${show(name)}]`, handler, 'function');
    }
  },
  clock: clockRule,
  random: typeRule('function'),
  telemetry: telemetryRule,
};

function checkOperation(operation: unknown): string {
  try {
    return checkName('recovery plan', operation);
  } catch {
    throw new TypeError(
      `recovery plan: operation must be a non-empty string of at most 128 characters without control characters, got ${show(operation)}.`,
    );
  }
}

function checkStrategies(owner: string, given: unknown): readonly RecoveryStrategy[] {
  const strategies: unknown = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(strategies) || strategies.length === 0) {
    const words = RECOVERY_STRATEGIES.map(show).join(', ');
    throw new TypeError(
      `${owner}: strategy must be one of ${words}, or an array of them, got ${show(given)}.`,
    );
  }
  const checked: RecoveryStrategy[] = [];
  let answering: RecoveryStrategy | undefined;
  for (const each of strategies as readonly unknown[]) {
    const strategy = checkOneOf(owner, 'strategy', each, RECOVERY_STRATEGIES);
    if (checked.includes(strategy)) {
      throw new TypeError(`${owner}: strategy names '${strategy}' twice.`);
    }
    checked.push(strategy);
    if (!GUARDS.includes(strategy)) answering ??= strategy;
    else if (answering !== undefined) {
      throw new TypeError(
        `${owner}: strategy must name '${strategy}' before '${answering}', which answers after the last call.`,
      );
    }
  }
  return checked;
}

function handlerOf(
  owner: string,
  field: 'fallback' | 'degrade',
  strategy: RecoveryStrategy,
  given: RecoveryHandler | string | undefined,
  strategies: readonly RecoveryStrategy[],
  handlers: RecoveryHandlers,
): RecoveryHandler | undefined {
  const wanted = strategies.includes(strategy);
  if (given === undefined) {
    if (wanted) throw new TypeError(`${owner}: strategy '${strategy}' needs ${field}, a handler.`);
    return undefined;
  }
  if (!wanted) {
    throw new TypeError(`${owner}: ${field} is given, but strategy does not name '${strategy}'.`);
  }
  if (typeof given === 'function') return given;
  if (typeof given === 'string' && Object.hasOwn(handlers, given)) return handlers[given];
  const known = Object.keys(handlers).map(show).join(', ') || 'none';
  throw new TypeError(
    `${owner}: ${field} must be a function or the name of a handler (known are ${known}), got ${show(given)}.`,
  );
}

import type { CircuitBreakerOptions } from '@temper/breaker';
import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type ExecutionContext,
  type Random,
  SPAN_MODES,
  type SpanMode,
  show,
  systemClock,
  systemRandom,
} from '@temper/core';
import type { RetryOptions } from '@temper/retry';
import type { ObservedDurationOptions } from '../latency/observed-duration.ts';

/** What can be done about a failed operation. */
export type RecoveryStrategy = 'retry' | 'circuit_break' | 'fallback' | 'graceful_degrade';

/** Every {@link RecoveryStrategy}. The first two call the operation, the others answer for it. */
export const RECOVERY_STRATEGIES: readonly RecoveryStrategy[] = [
  'retry',
  'circuit_break',
  'fallback',
  'graceful_degrade',
];

/** Strategies that decide whether and when the operation is called. */
export const GUARDS: readonly RecoveryStrategy[] = ['retry', 'circuit_break'];

/** What a fallback or a degraded answer is made from. */
export interface RecoveryEvent {
  readonly operation: string;
  /** What the operation failed with for good. */
  readonly error: unknown;
  /** How often the operation was called; 0 when an open circuit kept it from being. */
  readonly attempts: number;
  /** What the operation was called with, where the call said so; see `register` and `args`. */
  readonly args: readonly unknown[];
  /** Aborts when the caller gives up, or when the handler takes longer than `timeoutMs`. */
  readonly context: ExecutionContext;
}

/** Makes an answer in place of an operation that failed. */
export type RecoveryHandler = (event: RecoveryEvent) => unknown;

/** What is to be done when an operation fails. */
export interface RecoveryPlan {
  /** The operation's name: low cardinality, as it labels errors, spans and metrics. */
  readonly operation: string;
  /**
   * What is done, or several things in sequence. `retry` and `circuit_break` come first, the outer
   * before the inner; `fallback` and `graceful_degrade` follow, and are asked one after the other.
   *
   * @defaultValue 'retry'
   */
  readonly strategy?: RecoveryStrategy | readonly RecoveryStrategy[];
  /**
   * Most calls after the first, with `retry`. (A retry policy's `maxAttempts` counts the first too.)
   *
   * @defaultValue 3
   * @throws {RangeError} at construction, unless an integer >= 0 and finite
   */
  readonly maxRetries?: number;
  /**
   * Wait before the first retry, in milliseconds, with `retry`; it grows and is spread as in a retry
   * policy.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless finite, >= 0 and less than `timeoutMs`
   */
  readonly retryDelayMs?: number;
  /** More of the retry: backoff, jitter, budget, `isRetryable`, …. @defaultValue as in a retry policy */
  readonly retry?: Omit<
    RetryOptions,
    | 'name'
    | 'maxAttempts'
    | 'initialDelayMs'
    | 'attemptTimeoutMs'
    | 'isFailure'
    | 'clock'
    | 'random'
  >;
  /** The circuit breaker of `circuit_break`. @defaultValue as in a breaker */
  readonly breaker?: Omit<CircuitBreakerOptions, 'name' | 'isFailure' | 'clock'>;
  /**
   * Longest time for the operation, in milliseconds: all its calls, and the waits between them. It
   * then aborts, and what follows in the sequence is done. Each handler gets as long again.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * Longest time for one call, in milliseconds, or one that follows the latencies observed.
   *
   * @defaultValue none
   * @throws {RangeError} at construction, unless > 0 and less than `timeoutMs`
   */
  readonly attemptTimeoutMs?: number | ObservedDurationOptions;
  /** Answers in full for an operation that failed, with `fallback`: a function, or a handler's name. */
  readonly fallback?: RecoveryHandler | string;
  /** Makes the partial result of `graceful_degrade`: a function, or a handler's name. */
  readonly degrade?: RecoveryHandler | string;
  /**
   * Whether a returned value says that the operation failed. It then counts as failed for every
   * strategy, and is found in `FailedResultError.value`.
   *
   * @defaultValue no value does
   */
  readonly isFailure?: (value: unknown) => boolean;
  /**
   * Which executions get spans.
   *
   * @defaultValue 'all'
   */
  readonly spans?: SpanMode;
}

/** The defaults of a plan, as the README's table shows them. */
export const PLAN_DEFAULTS: {
  readonly strategy: 'retry';
  readonly maxRetries: 3;
  readonly retryDelayMs: 100;
  readonly timeoutMs: 5000;
  readonly spans: 'all';
} = { strategy: 'retry', maxRetries: 3, retryDelayMs: 100, timeoutMs: 5000, spans: 'all' };

/** Every field of a plan. */
export const PLAN_FIELDS: readonly string[] = [
  'operation',
  ...Object.keys(PLAN_DEFAULTS),
  'retry',
  'breaker',
  'attemptTimeoutMs',
  'fallback',
  'degrade',
  'isFailure',
];

/** Handlers by name, for plans that come as data. */
export type RecoveryHandlers = Readonly<Record<string, RecoveryHandler>>;

/** What a plan runs on. */
export interface PlanEnvironment {
  /** Where names of handlers are looked up. @defaultValue none */
  readonly handlers?: RecoveryHandlers;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** A checked plan. */
export interface ResolvedPlan
  extends Required<
      Pick<RecoveryPlan, 'operation' | 'maxRetries' | 'retryDelayMs' | 'timeoutMs' | 'spans'>
    >,
    Pick<RecoveryPlan, 'retry' | 'breaker' | 'attemptTimeoutMs' | 'isFailure'> {
  readonly strategies: readonly RecoveryStrategy[];
  readonly fallback: RecoveryHandler | undefined;
  readonly degrade: RecoveryHandler | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Holds a plan to its form and fills in the defaults.
 *
 * @throws {TypeError | RangeError} naming the plan, the field, what it may be and what it is
 */
export function resolvePlan(plan: RecoveryPlan, environment: PlanEnvironment = {}): ResolvedPlan {
  checkKnown('recovery plan', plan, PLAN_FIELDS);
  const operation = checkOperation(plan.operation);
  const owner = `recovery plan '${operation}'`;
  const strategies = checkStrategies(owner, plan.strategy ?? PLAN_DEFAULTS.strategy);
  if (plan.isFailure !== undefined) checkType(owner, 'isFailure', plan.isFailure, 'function');
  for (const part of ['retry', 'breaker'] as const) {
    if (plan[part] !== undefined) checkType(owner, part, plan[part], 'object');
  }
  const { handlers = {} } = environment;
  const finite = { min: 0, infinite: false } as const;
  const whole = { ...finite, integer: true };
  return {
    operation,
    strategies,
    maxRetries: checkNumber(owner, 'maxRetries', plan.maxRetries ?? 3, whole),
    retryDelayMs: checkNumber(owner, 'retryDelayMs', plan.retryDelayMs ?? 100, finite),
    timeoutMs: checkNumber(owner, 'timeoutMs', plan.timeoutMs ?? PLAN_DEFAULTS.timeoutMs, {
      ...finite,
      aboveMin: true,
    }),
    spans: checkOneOf(owner, 'spans', plan.spans ?? PLAN_DEFAULTS.spans, SPAN_MODES),
    fallback: checkHandler(owner, 'fallback', 'fallback', plan.fallback, strategies, handlers),
    degrade: checkHandler(owner, 'degrade', 'graceful_degrade', plan.degrade, strategies, handlers),
    ...(plan.retry === undefined ? {} : { retry: plan.retry }),
    ...(plan.breaker === undefined ? {} : { breaker: plan.breaker }),
    ...(plan.attemptTimeoutMs === undefined ? {} : { attemptTimeoutMs: plan.attemptTimeoutMs }),
    ...(plan.isFailure === undefined ? {} : { isFailure: plan.isFailure }),
    clock: checkClock(owner, environment.clock ?? systemClock),
    random: environment.random ?? systemRandom,
  };
}

function checkOperation(operation: unknown): string {
  try {
    return checkName('recovery plan', operation);
  } catch {
    throw new TypeError(
      `recovery plan: operation must be a non-empty string, got ${show(operation)}.`,
    );
  }
}

function checkStrategies(
  owner: string,
  given: RecoveryStrategy | readonly RecoveryStrategy[],
): readonly RecoveryStrategy[] {
  const strategies: readonly RecoveryStrategy[] = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(strategies) || strategies.length === 0) {
    const words = RECOVERY_STRATEGIES.map(show).join(', ');
    throw new TypeError(
      `${owner}: strategy must be one of ${words}, or an array of them, got ${show(given)}.`,
    );
  }
  let answering: RecoveryStrategy | undefined;
  for (const [index, strategy] of strategies.entries()) {
    checkOneOf(owner, 'strategy', strategy, RECOVERY_STRATEGIES);
    if (strategies.indexOf(strategy) !== index) {
      throw new TypeError(`${owner}: strategy names '${strategy}' twice.`);
    }
    if (!GUARDS.includes(strategy)) answering ??= strategy;
    else if (answering !== undefined) {
      throw new TypeError(
        `${owner}: strategy must name '${strategy}' before '${answering}', which answers when no call is left to make.`,
      );
    }
  }
  return [...strategies];
}

function checkHandler(
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

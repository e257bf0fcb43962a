import { type AuditEventInput, type AuditLog, AuditUnavailableError } from '@temper/audit';
import {
  type CallOptions,
  type Clock,
  type ErrorLog,
  type Executor,
  isTemperError,
  type Operation,
  OperationTimeoutError,
  type Outcome,
} from '@temper/core';
import {
  Call,
  checkCallOptions,
  checkKnown,
  checkType,
  errorType,
  isCall,
  type Listeners,
  reportCallbackError,
} from '@temper/core/policy';
import type { ErrorTable } from './error-table.ts';

/** How an operation ended, for the audit log and listeners. */
export type OperationStatus = 'success' | 'degraded' | 'rejected' | 'failure' | 'aborted';

/** Why an answer is not the real one. */
export interface Degradation {
  /** The source of the answer: `stale` of one that was remembered, or what `degrade` says. */
  readonly by: string;
  /** How old the answer is, in milliseconds, where it has an age. */
  readonly ageMs?: number;
  /** Why there is no real answer. */
  readonly error: unknown;
}

/** An answer, and whether it is the real one. */
export interface Guarded<T> {
  readonly value: T;
  /** Undefined for a real answer. */
  readonly degraded?: Degradation;
}

/**
 * Options of one operation: those of a call, but for its name. `timeoutMs` can only shorten the time
 * that the plan gives.
 */
export interface OperationOptions extends Omit<CallOptions, 'operation'> {
  /** Who asks, for the audit log. */
  readonly actor?: string | undefined;
}

/** How an operation that has ended was recovered, for the history. */
export interface EndedOperation extends OperationEvent {
  /** Wall-clock time at which it began, in milliseconds since the epoch. */
  readonly startedAt: number;
}

/**
 * One operation that has ended.
 *
 * @typeParam Name - the names of operations
 */
export interface OperationEvent<Name extends string = string> {
  readonly operation: Name;
  readonly resource: string;
  readonly status: OperationStatus;
  readonly durationMs: number;
  readonly attempts: number;
  readonly error?: unknown;
  /**
   * Whether the error is the caller's own, such as a program with errors: by the error table it says nothing
   * against the operation. Absent for other errors, and without one.
   */
  readonly isCallersFault?: true;
}

/** What all guarded operations share. */
export interface GuardServices {
  readonly clock: Clock;
  readonly audit: AuditLog;
  readonly errors: ErrorLog;
  readonly listeners: Listeners<OperationEvent>;
  /** Keeps an operation that has ended in the history. */
  readonly record: (ended: EndedOperation) => void;
}

/** How one operation is guarded. */
export interface GuardedOperationOptions<T> {
  readonly operation: string;
  readonly errors: ErrorTable;
  readonly pipeline: Executor;
  /** Time for the whole operation, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * A degraded answer for when there is no real one; `undefined` when there is none either. It may take as
   * long as an attempt.
   */
  readonly degrade?: (error: unknown, key: string | undefined) => Promise<Guarded<T> | undefined>;
  /** Time for {@link degrade}, in milliseconds. */
  readonly degradeTimeoutMs: number;
  /** Keeps a real answer for later. */
  readonly remember?: (value: T, key: string | undefined) => void;
}

/**
 * Runs one operation through its pipeline; classifies, counts and audits how it ended; and falls back
 * to a degraded answer where the subsystem, and not the caller, is at fault.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 * @throws what the operation failed with, when there is no degraded answer
 * @throws {AuditUnavailableError} when the audit log cannot store the event and must not lose it
 */
export async function runGuarded<T>(
  services: GuardServices,
  guard: GuardedOperationOptions<T>,
  resource: string,
  work: Operation<T>,
  options: OperationOptions = {},
): Promise<Guarded<T>> {
  const callOptions = callOptionsOf(guard.operation, options);
  const { actor } = options;
  const key = callOptions.key ?? callOptions.parent?.key;
  const startedAt = services.clock.monotonic();
  const began = services.clock.now();
  let attempts = 0;
  const settle = async (
    status: OperationStatus,
    outcome: Outcome<unknown>,
    error?: unknown,
  ): Promise<void> => {
    const durationMs = services.clock.monotonic() - startedAt;
    const { operation } = guard;
    const mistake = status === 'failure' && guard.errors.isCallersFault(error);
    const ended: OperationEvent = {
      operation,
      resource,
      status,
      durationMs,
      attempts,
      error,
      ...(mistake ? { isCallersFault: true } : {}),
    };
    services.record({ ...ended, startedAt: began });
    services.listeners.emit(ended);
    const event: AuditEventInput = {
      eventType: 'operation',
      action: operation,
      resource,
      status,
      actor,
      durationMs,
      details: { attempts },
      ...(error === undefined ? {} : { error }),
    };
    const store = (): Promise<unknown> =>
      services.audit.append(event).catch((refusal: unknown) => {
        // The caller must learn how the operation ended, besides that the event was not stored.
        throw refusal instanceof AuditUnavailableError
          ? new AuditUnavailableError(refusal.policy, refusal.required, refusal.failures, outcome)
          : refusal;
      });
    // To policies around, neither the log nor its time is the subsystem.
    const around = callOptions.parent as Call | undefined;
    await (around === undefined ? store() : around.awaitCapacity(store, services.clock));
  };

  let value: T;
  try {
    value = await guard.pipeline.execute(
      (context) => {
        attempts++;
        return work(context);
      },
      {
        ...callOptions,
        operation: guard.operation,
        timeoutMs: Math.min(guard.timeoutMs, callOptions.timeoutMs ?? guard.timeoutMs),
      },
    );
  } catch (error) {
    if (isCancelled(callOptions)) {
      await settle('aborted', { ok: false, error }, error);
      throw error;
    }
    services.errors.handle(error, {
      ...guard.errors.verdictOf(error),
      context: { operation: guard.operation, resource, errorType: errorType(error) },
    });
    // By our own limiter, before the subsystem was called: it may have limiters of its own.
    const rejected = attempts === 0 && isTemperError(error, 'RATE_LIMIT_EXCEEDED');
    const degraded =
      rejected || guard.errors.isCallersFault(error) || callOptions.parent?.endedBy !== undefined
        ? undefined
        : await degradedAnswer(services.clock, guard, error, key);
    const status = degraded !== undefined ? 'degraded' : rejected ? 'rejected' : 'failure';
    await settle(
      status,
      degraded === undefined ? { ok: false, error } : { ok: true, value: degraded.value },
      error,
    );
    if (degraded !== undefined) return degraded;
    throw error;
  }
  guard.remember?.(value, key);
  await settle('success', { ok: true, value });
  return { value };
}

/** Names of {@link OperationOptions}. */
const OPTIONS: readonly (keyof OperationOptions)[] = [
  'actor',
  'signal',
  'timeoutMs',
  'attributes',
  'cost',
  'priority',
  'key',
  'parent',
];

/**
 * The options that are passed on to the pipeline.
 *
 * @throws {TypeError | RangeError} when an option is unknown, of the wrong type or out of range
 */
function callOptionsOf(operation: string, options: OperationOptions): CallOptions {
  // Refuses `null`, arrays, contexts and the like, and says what they are.
  if (isCall(options) || Object.prototype.toString.call(options) !== '[object Object]') {
    checkCallOptions(operation, options);
  }
  checkKnown(operation, options, OPTIONS);
  const { actor, signal, timeoutMs, attributes, cost, priority, key, parent } = options;
  if (actor !== undefined) checkType(operation, 'actor', actor, 'string');
  const call: CallOptions = { signal, timeoutMs, attributes, cost, priority, key, parent };
  checkCallOptions(operation, call);
  return call;
}

/**
 * Whether the caller, or a hedge that was answered elsewhere, no longer wants the result. A signal whose
 * own time is up, as one of `AbortSignal.timeout()`, is a timeout and cancels nothing.
 */
function isCancelled({ signal, parent }: CallOptions): boolean {
  return [signal, parent].some(
    (source) =>
      source !== undefined &&
      new Call(1, undefined, undefined, source as AbortSignal | Call).cancelled,
  );
}

/**
 * The degraded answer. A port that throws, or does not answer in time, has none, and the operation keeps
 * its own error.
 */
async function degradedAnswer<T>(
  clock: Clock,
  { operation, degrade, degradeTimeoutMs: timeoutMs }: GuardedOperationOptions<T>,
  error: unknown,
  key: string | undefined,
): Promise<Guarded<T> | undefined> {
  if (degrade === undefined) return undefined;
  const late = new AbortController();
  const tooLate = clock.sleep(timeoutMs, late.signal).then(() => {
    throw new OperationTimeoutError(operation, timeoutMs, `The degraded answer of '${operation}'`);
  });
  try {
    return await Promise.race([degrade(error, key), tooLate]);
  } catch (mistake) {
    reportCallbackError(operation, 'degraded answer', mistake);
    return undefined;
  } finally {
    tooLate.catch(() => undefined);
    late.abort();
  }
}

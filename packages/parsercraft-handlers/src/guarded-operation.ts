import { type AuditEventInput, type AuditLog, AuditUnavailableError } from '@temper/audit';
import {
  type Attributes,
  type Clock,
  type ErrorLog,
  type Executor,
  errorType,
  isTemperError,
  type Listeners,
  type Operation,
  type Outcome,
} from '@temper/core';
import { isCallersFault, type OperationName, verdictOf } from './error-tables.ts';
import { onListenerError } from './telemetry.ts';

/** How an operation ended, as the audit log and listeners are told. */
export type OperationStatus = 'success' | 'degraded' | 'rejected' | 'failure' | 'aborted';

/** Why an answer is not the real one. */
export interface Degradation {
  /** What the answer was made from. */
  readonly by: 'stale' | 'last-good' | 'unchecked';
  /** How old the answer is, in milliseconds, where it has an age. */
  readonly ageMs?: number;
  /** What kept the real answer away. */
  readonly error: unknown;
}

/** An answer, and whether it is the real one. */
export interface Guarded<T> {
  readonly value: T;
  /** Undefined for a real answer. */
  readonly degraded?: Degradation;
}

/** What a caller may say about one operation. */
export interface OperationOptions {
  /** Ends the operation; see core's `ExecuteOptions`. */
  readonly signal?: AbortSignal;
  /** Less time than the plan gives, in milliseconds. */
  readonly deadlineMs?: number;
  /** Who asks, for the audit log. */
  readonly actor?: string;
  /** For the spans of this call. */
  readonly attributes?: Attributes;
}

/** One operation that has ended. */
export interface OperationEvent {
  readonly operation: OperationName;
  readonly resource: string;
  readonly status: OperationStatus;
  readonly durationMs: number;
  readonly attempts: number;
  readonly error?: unknown;
}

/** What all guarded operations share. */
export interface GuardServices {
  readonly clock: Clock;
  readonly audit: AuditLog;
  readonly errors: ErrorLog;
  readonly listeners: Listeners<OperationEvent>;
}

/** How one operation is guarded. */
export interface GuardedOperationOptions<T> {
  readonly operation: OperationName;
  readonly pipeline: Executor;
  /** Time for the whole operation, in milliseconds. */
  readonly timeoutMs: number;
  /** A lesser answer for when the real one cannot be had, if there is one. */
  readonly degrade?: (error: unknown) => Guarded<T> | undefined;
  /** Keeps a real answer for later. */
  readonly remember?: (value: T) => void;
}

/**
 * Runs one operation through its pipeline; classifies, counts and audits how it ended; and falls back
 * to a lesser answer where the subsystem, and not the caller, is at fault.
 *
 * @throws what the operation failed with, when there is no lesser answer
 * @throws {AuditUnavailableError} when the audit log refuses to go on unwritten
 */
export async function runGuarded<T>(
  services: GuardServices,
  guard: GuardedOperationOptions<T>,
  resource: string,
  work: Operation<T>,
  options: OperationOptions = {},
): Promise<Guarded<T>> {
  const startedAt = services.clock.monotonic();
  let attempts = 0;
  const settle = async (
    status: OperationStatus,
    outcome: Outcome<unknown>,
    error?: unknown,
  ): Promise<void> => {
    const durationMs = services.clock.monotonic() - startedAt;
    const { operation } = guard;
    services.listeners.emit({ operation, resource, status, durationMs, attempts, error });
    const event: AuditEventInput = {
      eventType: 'operation',
      action: operation,
      resource,
      status,
      actor: options.actor,
      durationMs,
      details: { attempts },
      ...(error === undefined ? {} : { error }),
    };
    await services.audit.append(event).catch((refusal: unknown) => {
      // Whoever learns that the event is not stored must still learn how the operation had ended.
      throw refusal instanceof AuditUnavailableError
        ? new AuditUnavailableError(refusal.policy, refusal.required, refusal.failures, outcome)
        : refusal;
    });
  };

  let value: T;
  try {
    value = await guard.pipeline.execute(
      (context) => {
        attempts++;
        return work(context);
      },
      {
        operation: guard.operation,
        deadlineMs: Math.min(guard.timeoutMs, options.deadlineMs ?? guard.timeoutMs),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(options.attributes === undefined ? {} : { attributes: options.attributes }),
      },
    );
  } catch (error) {
    if (options.signal?.aborted && error === options.signal.reason) {
      await settle('aborted', { ok: false, error }, error);
      throw error;
    }
    services.errors.handle(error, {
      ...verdictOf(guard.operation, error),
      context: { operation: guard.operation, resource, errorType: errorType(error) },
    });
    const rejected = isTemperError(error, 'RATE_LIMIT_EXCEEDED');
    const lesser = rejected || isCallersFault(error) ? undefined : lesserOf(guard, error);
    const status = lesser !== undefined ? 'degraded' : rejected ? 'rejected' : 'failure';
    await settle(
      status,
      lesser === undefined ? { ok: false, error } : { ok: true, value: lesser.value },
      error,
    );
    if (lesser !== undefined) return lesser;
    throw error;
  }
  guard.remember?.(value);
  await settle('success', { ok: true, value });
  return { value };
}

/** The lesser answer; a port that fails to make one has none, and the operation its own error. */
function lesserOf<T>(guard: GuardedOperationOptions<T>, error: unknown): Guarded<T> | undefined {
  try {
    return guard.degrade?.(error);
  } catch (broken) {
    onListenerError(broken);
    return undefined;
  }
}

import { messageOf, show } from '@temper/core';
import { HEALTH_STATUSES, type HealthStatus } from './status.ts';

/** Result of a check. */
export interface CheckResult {
  /** @defaultValue 'healthy' */
  readonly status?: HealthStatus;
  /** What was found, in a sentence. */
  readonly message?: string;
  /** A measured value, shown in `health+json`. */
  readonly observed?: {
    /** What was measured, such as `utilization`. @defaultValue 'status' */
    readonly name?: string;
    readonly value: number | string;
    /** Unit of `value`, such as `ms`. */
    readonly unit?: string;
  };
  /** Further data, shown only to requests that receive details. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Everything that a check may return. */
// biome-ignore lint/suspicious/noConfusingVoidType: a check that returns nothing passes
export type CheckReturn = void | undefined | boolean | HealthStatus | CheckResult;

/** Result of one probe, before the flapping rule. */
export interface Outcome extends CheckResult {
  readonly status: HealthStatus;
  /** The error, if the probe threw or timed out. */
  readonly error?: unknown;
}

const HEALTHY: Outcome = { status: 'healthy' };

/**
 * Interprets what a check returned. An invalid value is a failure.
 *
 * @throws what a getter of the returned object throws
 */
export function outcomeOf(returned: unknown, failureStatus: HealthStatus): Outcome {
  if (returned === undefined || returned === true) return HEALTHY;
  if (returned === false) return { status: failureStatus, message: 'check returned false' };
  if (isStatus(returned)) return { status: returned };
  if (typeof returned === 'object' && returned !== null && !Array.isArray(returned)) {
    return resultOf(returned, failureStatus);
  }
  return failed(new TypeError(`check returned an invalid value: ${show(returned)}`), failureStatus);
}

/** The outcome of a probe that threw or timed out. */
export function failed(error: unknown, failureStatus: HealthStatus): Outcome {
  return { status: failureStatus, message: messageOf(error), error };
}

/** Reads every property once: the object is the user's and may change or have getters. */
function resultOf(returned: object, failureStatus: HealthStatus): Outcome {
  const { status = 'healthy', message, observed, details } = returned as Record<string, unknown>;
  const invalid = (property: string, value: unknown): Outcome =>
    failed(
      new TypeError(`check returned an invalid value of '${property}': ${show(value)}`),
      failureStatus,
    );
  if (!isStatus(status)) return invalid('status', status);
  if (message !== undefined && typeof message !== 'string') return invalid('message', message);
  if (observed !== undefined && !isObserved(observed)) return invalid('observed', observed);
  if (details !== undefined && !isRecord(details)) return invalid('details', details);
  return {
    status,
    ...(message === undefined ? {} : { message }),
    ...(observed === undefined ? {} : { observed }),
    ...(details === undefined ? {} : { details }),
  };
}

function isObserved(value: unknown): value is NonNullable<CheckResult['observed']> {
  if (!isRecord(value)) return false;
  const { name, value: measured, unit } = value;
  return (
    (typeof measured === 'number' || typeof measured === 'string') &&
    (name === undefined || typeof name === 'string') &&
    (unit === undefined || typeof unit === 'string')
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isStatus(value: unknown): value is HealthStatus {
  return (HEALTH_STATUSES as readonly unknown[]).includes(value);
}

import { messageOf, show } from '@temper/core';
import { HEALTH_STATUSES, type HealthStatus } from './status.ts';

/** What a check may say beyond a status. */
export interface CheckResult {
  /** @defaultValue 'healthy' */
  readonly status?: HealthStatus;
  /** For people: what was seen, in a sentence. */
  readonly message?: string;
  /** What was measured, as `health+json` shows it. */
  readonly observed?: Observed;
  /** Anything else worth knowing. Shown only where details are allowed. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A measurement. */
export interface Observed {
  /** What was measured, such as `utilization`. @defaultValue 'status' */
  readonly name?: string;
  readonly value: number | string;
  /** Unit of {@link value}, such as `ms`. */
  readonly unit?: string;
}

/** Everything that a check may return. */
// biome-ignore lint/suspicious/noConfusingVoidType: a check that returns nothing is a check that passed
export type CheckReturn = void | undefined | boolean | HealthStatus | CheckResult;

/** What one probe found, before the flapping rule. */
export interface Outcome extends CheckResult {
  readonly status: HealthStatus;
  /** Why the probe failed, when it threw or ran out of time. */
  readonly error?: unknown;
}

const HEALTHY: Outcome = { status: 'healthy' };

/** Reads what a check returned. Something that means nothing is a failure, not a pass. */
export function outcomeOf(returned: unknown, failureStatus: HealthStatus): Outcome {
  if (returned === undefined || returned === true) return HEALTHY;
  if (returned === false) return { status: failureStatus, message: 'the check returned false' };
  if (isStatus(returned)) return { status: returned };
  if (typeof returned === 'object' && returned !== null && !Array.isArray(returned)) {
    const result = returned as CheckResult;
    const { status = 'healthy' } = result;
    if (isStatus(status)) return { ...result, status };
  }
  return failed(
    new TypeError(`the check returned ${show(returned)}, which is no result`),
    failureStatus,
  );
}

/** What a probe found that threw or ran out of time. */
export function failed(error: unknown, failureStatus: HealthStatus): Outcome {
  return { status: failureStatus, message: messageOf(error), error };
}

function isStatus(value: unknown): value is HealthStatus {
  return (HEALTH_STATUSES as readonly unknown[]).includes(value);
}

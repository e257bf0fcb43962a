import { messageOf, safeText, show } from '@temper/core/policy';
import { HEALTH_STATUSES, type HealthStatus } from './status.ts';

/** Result of a check. */
export interface CheckResult {
  /** @defaultValue 'healthy' */
  readonly status?: HealthStatus;
  /** What was found, in a sentence. Made safe to show: one line of at most 512 characters, scrubbed. */
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

/** Longest name or unit of an observed value. */
const MAX_LABEL = 64;

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

/**
 * The outcome of a probe that threw or timed out. The `causes` of an error, such as those of a
 * `HealthCheckError` of terminus, are the details.
 */
export function failed(error: unknown, failureStatus: HealthStatus): Outcome {
  const causes = causesOf(error);
  return {
    status: failureStatus,
    message: messageOf(error),
    error,
    ...(causes === undefined ? {} : { details: { causes } }),
  };
}

function causesOf(error: unknown): unknown {
  try {
    return isRecord(error) ? error.causes : undefined;
  } catch {
    return undefined; // a getter that throws
  }
}

/**
 * Reads every property once: the object is the user's and may change or have getters. Text is bounded
 * and scrubbed here, because reports and history leave the process on many ways. Details are the
 * user's own data and stay as they are until they are rendered.
 */
function resultOf(returned: object, failureStatus: HealthStatus): Outcome {
  const { status = 'healthy', message, observed, details } = returned as Record<string, unknown>;
  const invalid = (property: string, value: unknown): Outcome =>
    failed(
      new TypeError(`check returned an invalid value of '${property}': ${show(value)}`),
      failureStatus,
    );
  if (!isStatus(status)) return invalid('status', status);
  if (message !== undefined && typeof message !== 'string') return invalid('message', message);
  const measured = observed === undefined ? undefined : observedOf(observed);
  if (observed !== undefined && measured === undefined) return invalid('observed', observed);
  if (details !== undefined && !isRecord(details)) return invalid('details', details);
  return {
    status,
    ...(message === undefined ? {} : { message: safeText(message) }),
    ...(measured === undefined ? {} : { observed: measured }),
    ...(details === undefined ? {} : { details }),
  };
}

/** A copy that is safe to show; undefined if the value is invalid. */
function observedOf(given: unknown): CheckResult['observed'] {
  if (!isRecord(given)) return undefined;
  const { name, value, unit } = given;
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  if (name !== undefined && typeof name !== 'string') return undefined;
  if (unit !== undefined && typeof unit !== 'string') return undefined;
  return {
    ...(name === undefined ? {} : { name: safeText(name, MAX_LABEL) }),
    value: typeof value === 'string' ? safeText(value) : value,
    ...(unit === undefined ? {} : { unit: safeText(unit, MAX_LABEL) }),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isStatus(value: unknown): value is HealthStatus {
  return (HEALTH_STATUSES as readonly unknown[]).includes(value);
}

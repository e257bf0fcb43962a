import type { JsonObject } from './canonical-json.ts';

/** The actor of an event. */
export interface AuditActor {
  /** Stable identifier: a user id, a service account. */
  readonly id: string;
  /** Kind of actor: `user`, `service`, … */
  readonly type?: string;
  /** Display name. */
  readonly name?: string;
}

/** An error as plain data. */
export interface AuditError {
  readonly name: string;
  readonly message: string;
  /** The error's own code, such as `ECONNREFUSED`. */
  readonly code?: string;
  /** The cause. A chain has at most three errors. */
  readonly cause?: AuditError;
}

/** An event as the caller passes it to the log. */
export interface AuditEventInput {
  /** Type of event, such as `operation` or `login`; 1 to 256 characters, but not `audit`. */
  readonly eventType: string;
  /** Action, such as `fetch_package`; 1 to 256 characters. */
  readonly action: string;
  /** Object of the action. Not empty; truncated at `limits.maxStringLength`. */
  readonly resource: string;
  /** Result, by convention `success` or `failure`; 1 to 256 characters. */
  readonly status: string;
  /** The actor, or just the actor's id. */
  readonly actor?: string | AuditActor | undefined;
  /**
   * Further data. Copied, truncated at the limits and redacted at once; getters, `toJSON` and proxy
   * traps are never called.
   */
  readonly details?: object | undefined;
  /** The error: an `Error` or any other thrown value; `null` is the same as absent. Messages are scrubbed. */
  readonly error?: unknown;
  /** Duration in milliseconds. */
  readonly durationMs?: number | undefined;
}

/** An event of the log, deeply frozen. */
export interface AuditEvent {
  /** UUID of version 7, sortable by time. */
  readonly id: string;
  /**
   * Position in the log: 1, 2, 3, … without a gap. 0 if the event has no position, which only happens
   * with `degrade`.
   */
  readonly sequence: number;
  /** Time at which the log accepted the event: ISO 8601, UTC, with milliseconds. */
  readonly timestamp: string;
  readonly eventType: string;
  readonly action: string;
  readonly resource: string;
  readonly status: string;
  readonly actor?: AuditActor;
  readonly details: JsonObject;
  readonly error?: AuditError;
  readonly durationMs?: number;
  /** Ids of the active trace and span, as 32 and 16 hexadecimal digits. */
  readonly traceId?: string;
  readonly spanId?: string;
  /** Version of the format: determines the fields, and the algorithm and domain of the hashes. */
  readonly v: 2;
  /** Identifier of the log. An event cannot be moved to another log. */
  readonly log: string;
  /** {@link hash} of the previous event; for the first, a hash of the log's identifier. */
  readonly prev: string;
  /**
   * SHA-256 of `temper-audit event v2`, a newline and the canonical JSON of this event without `hash`,
   * as 64 hexadecimal digits.
   */
  readonly hash: string;
}

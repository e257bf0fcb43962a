import type { JsonObject } from './canonical-json.ts';

/** Who did it. */
export interface AuditActor {
  /** Stable identifier: a user id, a service account. */
  readonly id: string;
  /** What kind of actor: `user`, `service`, … */
  readonly type?: string;
  /** A name for people. */
  readonly name?: string;
}

/** What went wrong, as plain data. */
export interface AuditError {
  readonly name: string;
  readonly message: string;
  /** The error's own code, such as `ECONNREFUSED`. */
  readonly code?: string;
  /** What caused it, at most three deep. */
  readonly cause?: AuditError;
}

/** What a caller hands to the log. */
export interface AuditEventInput {
  /** The kind of event, such as `operation` or `login`. Not empty, at most 256 characters. */
  readonly eventType: string;
  /** What was done, such as `fetch_package`. Not empty, at most 256 characters. */
  readonly action: string;
  /** What it was done to. Not empty; cut at `limits.maxStringLength`. */
  readonly resource: string;
  /** How it went, by convention `success` or `failure`. Not empty, at most 256 characters. */
  readonly status: string;
  /** Who did it: an id, or more. */
  readonly actor?: string | AuditActor | undefined;
  /**
   * Anything else worth keeping. Copied, bounded and redacted before anything else sees it; getters,
   * `toJSON` and proxies are never called.
   */
  readonly details?: object | undefined;
  /** What went wrong: an Error, or anything else that was thrown. */
  readonly error?: unknown;
  /** How long it took, in milliseconds. */
  readonly durationMs?: number | undefined;
}

/** An event as it is in the log. Frozen, with everything in it. */
export interface AuditEvent {
  /** UUID of version 7: unique everywhere, and sortable by time. */
  readonly id: string;
  /**
   * Position in the log: 1, 2, 3, … without a gap. 0 means that the event is not in the log, which
   * only happens when `degrade` had to let it go.
   */
  readonly sequence: number;
  /** When it was handed to the log: ISO 8601, UTC, with milliseconds. */
  readonly timestamp: string;
  readonly eventType: string;
  readonly action: string;
  readonly resource: string;
  readonly status: string;
  readonly actor?: AuditActor;
  readonly details: JsonObject;
  readonly error?: AuditError;
  readonly durationMs?: number;
  /** The trace and the span that were active, as 32 and 16 hexadecimal digits. */
  readonly traceId?: string;
  readonly spanId?: string;
  /** {@link hash} of the event before this one; 64 zeros for the first. */
  readonly prev: string;
  /** SHA-256 over the canonical JSON of this event without `hash`, as 64 hexadecimal digits. */
  readonly hash: string;
}

import { type Classification, type Outcome, TemperError } from '@temper/core';

/** Where to look for the code of an error of this package. */
export type AuditErrorCode =
  | 'AUDIT_UNAVAILABLE'
  | 'AUDIT_LOCKED'
  | 'AUDIT_CORRUPT'
  | 'AUDIT_FORKED'
  | 'AUDIT_CLOSED';

/** Why one sink could not do its part. */
export interface SinkFailure {
  readonly sink: string;
  readonly error: unknown;
}

/**
 * Too few sinks could store the event, and the log is set to `refuse`: what the event was about must
 * not go on unaudited. The event may still be stored later, when a sink recovers.
 */
export class AuditUnavailableError extends TemperError {
  /** What each sink that failed has to say. */
  readonly failures: readonly SinkFailure[];
  /** How many sinks had to store the event. */
  readonly required: number;
  /** How the operation had ended whose event could not be stored. Set by {@link audited}. */
  readonly outcome: Outcome<unknown> | undefined;

  constructor(
    log: string,
    required: number,
    failures: readonly SinkFailure[],
    outcome?: Outcome<unknown>,
  ) {
    const reasons = failures.map(({ sink, error }) => `${sink}: ${reasonOf(error)}`).join('; ');
    super(
      `Audit log '${log}' needs ${required} ${required === 1 ? 'sink' : 'sinks'} to store an event, and too few can (${reasons}).`,
      { code: 'AUDIT_UNAVAILABLE', policy: log, cause: failures[0]?.error },
    );
    this.failures = failures;
    this.required = required;
    this.outcome = outcome;
  }

  override get name(): string {
    return 'AuditUnavailableError';
  }

  override get classification(): Classification {
    return { category: 'resource', severity: 'critical', transient: true };
  }
}

/** Another writer has the log. A log has one writer at a time; readers do not count. */
export class AuditLockedError extends TemperError {
  /** File, directory or chain that is locked. */
  readonly location: string;

  constructor(sink: string, location: string, cause?: unknown) {
    super(
      `Audit log ${location} is open for writing elsewhere; close that writer, or write to another log.`,
      {
        code: 'AUDIT_LOCKED',
        policy: sink,
        cause,
      },
    );
    this.location = location;
  }

  override get name(): string {
    return 'AuditLockedError';
  }
}

/** What is stored is not what the log wrote. Nothing is appended to it before somebody has looked. */
export class AuditCorruptError extends TemperError {
  readonly location: string;
  /** The event that is wrong, where it can be told. */
  readonly sequence: number | undefined;

  constructor(sink: string, location: string, sequence: number | undefined, what: string) {
    const at = sequence === undefined ? '' : ` at event ${sequence}`;
    super(
      `Audit log ${location} is damaged${at}: ${what}. Verify it, and start a new log if it cannot be explained.`,
      {
        code: 'AUDIT_CORRUPT',
        policy: sink,
      },
    );
    this.location = location;
    this.sequence = sequence;
  }

  override get name(): string {
    return 'AuditCorruptError';
  }
}

/** Two sinks of one log hold different events under the same sequence. */
export class AuditForkedError extends TemperError {
  readonly sequence: number;

  constructor(sink: string, log: string, sequence: number) {
    super(
      `Sink '${sink}' holds another event ${sequence} than log '${log}'; it went on alone after a start without it. Keep its events apart, and give the log an empty sink.`,
      { code: 'AUDIT_FORKED', policy: log },
    );
    this.sequence = sequence;
  }

  override get name(): string {
    return 'AuditForkedError';
  }
}

/** The log has been closed. */
export class AuditClosedError extends TemperError {
  constructor(log: string) {
    super(`Audit log '${log}' is closed; it takes no more events.`, {
      code: 'AUDIT_CLOSED',
      policy: log,
    });
  }

  override get name(): string {
    return 'AuditClosedError';
  }
}

/** A short reason out of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

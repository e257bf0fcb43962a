import { type Classification, type Outcome, TemperError } from '@temper/core';
import { messageOf, safeText } from '@temper/core/policy';

/** Longest reason of one sink in a message: there are up to eight sinks. */
const MAX_REASON = 256;

/** The failure of one sink. */
export interface SinkFailure {
  readonly sink: string;
  readonly error: unknown;
}

/**
 * Too few sinks could store the event, and `whenUnavailable` is `refuse`. The event may still be stored
 * later, when a sink recovers.
 */
export class AuditUnavailableError extends TemperError {
  /** The failures by sink. */
  readonly failures: readonly SinkFailure[];
  /** Number of sinks that the rule requires. */
  readonly required: number;
  /** Outcome of the operation whose event could not be stored. Set by {@link audited}. */
  readonly outcome: Outcome<unknown> | undefined;
  readonly #notCalled: boolean;

  /** @param operation - the outcome of the operation whose event could not be stored, if it had one */
  constructor(
    log: string,
    required: number,
    failures: readonly SinkFailure[],
    operation?: Outcome<unknown> | 'not called',
  ) {
    const reasons = failures
      .map(({ sink, error }) => `${sink}: ${messageOf(error, MAX_REASON)}`)
      .join('; ');
    super(
      `Audit log '${log}' needs ${required} ${required === 1 ? 'sink' : 'sinks'} to store an event, but too few are available (${reasons}).`,
      { code: 'AUDIT_UNAVAILABLE', policy: log, cause: failures[0]?.error },
    );
    this.failures = failures;
    this.required = required;
    this.#notCalled = operation === 'not called';
    this.outcome = operation === 'not called' ? undefined : operation;
  }

  override get name(): string {
    return 'AuditUnavailableError';
  }

  /** Whether {@link audited} did not call the operation, as its event could not have been stored. */
  override get refused(): boolean {
    return this.#notCalled;
  }

  /** Not transient after an operation: what it has done would be done again. */
  override get classification(): Classification {
    const transient = this.outcome === undefined;
    return { category: 'resource', severity: 'critical', transient };
  }
}

/** Another writer has opened the log. A log has one writer at a time, and any number of readers. */
export class AuditLockedError extends TemperError {
  /** The locked file, directory or chain. */
  readonly location: string;

  constructor(sink: string, location: string, cause?: unknown) {
    super(
      `Audit log ${safeText(location)} is open for writing elsewhere; close the other writer or use another log.`,
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

/** The stored events are not those that the log wrote. The log appends nothing to a damaged store. */
export class AuditCorruptError extends TemperError {
  readonly location: string;
  /** Sequence of the first invalid event, if known. */
  readonly sequence: number | undefined;

  constructor(sink: string, location: string, sequence: number | undefined, what: string) {
    const at = sequence === undefined ? '' : ` at event ${sequence}`;
    super(
      `Audit log ${safeText(location)} is damaged${at}: ${safeText(what)}. Run 'temper-audit verify', and start a new log if the damage cannot be explained.`,
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

/** Two sinks of one log have different events under the same sequence. */
export class AuditForkedError extends TemperError {
  readonly sequence: number;

  constructor(sink: string, log: string, sequence: number) {
    super(
      `Sink '${sink}' has another event ${sequence} than log '${log}': the log was started once without this sink. Archive the events of the sink and give the log an empty one.`,
      { code: 'AUDIT_FORKED', policy: log },
    );
    this.sequence = sequence;
  }

  override get name(): string {
    return 'AuditForkedError';
  }
}

/**
 * Events were accepted without waiting, by `record` or with `degrade`, and will not be stored. Reported
 * once, by the next `flush` or `close`; the log itself records the loss too.
 */
export class AuditLossError extends TemperError {
  /** Number of lost events since the last report. */
  readonly lost: number;

  constructor(log: string, lost: number) {
    super(
      `Audit log '${log}' has lost ${lost} ${lost === 1 ? 'event' : 'events'} that were accepted during an outage or beyond a limit; see queueLimit and holdLimit.`,
      { code: 'AUDIT_LOST', policy: log },
    );
    this.lost = lost;
  }

  override get name(): string {
    return 'AuditLossError';
  }
}

/** The log has been closed. */
export class AuditClosedError extends TemperError {
  constructor(log: string) {
    super(`Audit log '${log}' is closed and accepts no more events.`, {
      code: 'AUDIT_CLOSED',
      policy: log,
    });
  }

  override get name(): string {
    return 'AuditClosedError';
  }
}

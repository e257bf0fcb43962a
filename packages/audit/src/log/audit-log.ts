import type { SignedCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { NoteSigner } from '../chain/signing-key.ts';
import type { ExportOptions } from '../read/export/export-events.ts';
import type { AuditPage, AuditQuery } from '../read/query.ts';
import type { VerifyOptions, VerifyReport } from '../read/verify-report.ts';
import type { AuditSource, SinkRecovery } from '../sinks/sink.ts';
import type { RetentionState } from './retention-guard.ts';
import type { SinkHealth } from './writer-queue.ts';

/** State of one sink in {@link AuditLogStats}. */
interface SinkStats {
  readonly name: string;
  readonly health: SinkHealth;
  /** Last sequence the sink has stored. */
  readonly sequence: number;
  /** Events held in memory for the sink. */
  readonly held: number;
  /** Whether the sink lacks events that are no longer held and has to catch up from another sink. */
  readonly behind: boolean;
  /** Failed or timed-out opens and writes. */
  readonly failures: number;
  /** Events the sink will never receive. Only sinks without a chain of their own miss events. */
  readonly missed: number;
  /** Message of the last failure; undefined while the sink is ready. */
  readonly error: string | undefined;
}

/** State and counters of what appends to a log. */
export interface AuditWriterStats {
  /** `unavailable`: events cannot be stored. */
  readonly state: 'idle' | 'opening' | 'open' | 'unavailable' | 'closed';
  /** Events that became durable since this object was created. */
  readonly stored: number;
  /** Calls of `append` that were rejected because the event was not durable. */
  readonly refused: number;
  /** Calls of `append` that resolved before the event was durable (`degrade`). */
  readonly degraded: number;
  /** Events that were dropped and will not be stored. */
  readonly dropped: number;
  /** Accepted events that are not durable yet. */
  readonly pending: number;
}

/** A snapshot of a log's state and counters. */
export interface AuditLogStats extends AuditWriterStats {
  /** Last sequence assigned to an event. */
  readonly sequence: number;
  /** Number of events the last signed checkpoint covers; 0 without a checkpoint. */
  readonly checkpointed: number;
  /** Message of the last failure to sign a checkpoint; undefined if the last attempt succeeded. */
  readonly checkpointError: string | undefined;
  readonly sinks: readonly SinkStats[];
}

/** Result of opening a log. */
export interface OpenReport {
  /** Last sequence in the log; 0 if the log was empty. */
  readonly sequence: number;
  /** Repairs made by sinks: a partly written event at the end was removed. */
  readonly recovered: readonly (SinkRecovery & { readonly sink: string })[];
}

/** What appends to a log: the log itself, or in another process a client of its server. */
export interface AuditWriter extends AsyncDisposable {
  /** Name of the log in errors, metrics and its own events. */
  readonly name: string;
  /**
   * Adds an event. Resolves when the event is durable in as many sinks as the rule requires.
   *
   * @throws {TypeError} if the event does not match {@link AuditEventInput}
   * @throws {AuditUnavailableError} if too few sinks can store the event and `whenUnavailable` is `refuse`
   * @throws {AuditClosedError} after the log has been closed
   */
  append(event: AuditEventInput): Promise<AuditEvent>;
  /**
   * Adds an event without waiting. At most `queueLimit` such events are pending; further events are
   * dropped and counted, and the log records how many as soon as it can.
   *
   * @throws {TypeError} if the event does not match {@link AuditEventInput}
   * @throws {AuditClosedError} after the log has been closed
   */
  record(event: AuditEventInput): void;
  /**
   * Opens the log. Otherwise it is opened by the first event.
   *
   * @throws {AuditUnavailableError} if too few sinks can be opened, or the server cannot be reached
   */
  ready(): Promise<OpenReport>;
  /** @throws {AuditUnavailableError} if the log is unavailable and no retry is due */
  assertAvailable(): void;
  /**
   * Waits until all events accepted so far are durable.
   *
   * @throws {AuditUnavailableError} if they cannot be stored
   * @throws {AuditLossError} if events accepted since the last report are lost, with their number
   */
  flush(): Promise<void>;
  stats(): AuditWriterStats;
  /**
   * Flushes and closes. Idempotent.
   *
   * @throws {AuditUnavailableError} after closing, if events could not be stored
   * @throws {AuditLossError} after closing, if events were lost and not reported by `flush`
   */
  close(): Promise<void>;
}

/** A durable, tamper-evident log of events. */
export interface AuditLog extends AuditWriter {
  /** One page of matching events. A limit of 0 returns no events. */
  query(query?: AuditQuery): Promise<AuditPage>;
  /** The last `limit` events, oldest first. @defaultValue 100 */
  getEvents(limit?: number): Promise<readonly AuditEvent[]>;
  /** Streams every matching event without holding them all in memory. */
  stream(query?: AuditQuery): AsyncIterable<AuditEvent>;
  /** Streams every matching event as a line of JSON, in the log's own or another format. */
  export(options?: ExportOptions): AsyncIterable<string>;
  /**
   * Verifies the hash chain and the checkpoints of the whole log. Unless `options.size` says otherwise, it is
   * held to the number of events that this process knows it to have.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Signs a checkpoint over all durable events and returns it.
   *
   * @throws {TypeError} if the log has no signer
   */
  checkpoint(): Promise<SignedCheckpoint>;
  /**
   * Replaces the signer of the same name by one with another key. The log states it in an event that both
   * keys have signed, and signs a checkpoint over that event with both keys. From then on only the new key
   * signs, and a verification does not believe later checkpoints of the former one. Publish the returned
   * checkpoint, and start the next process with the new signer alone.
   *
   * If it rejects, nothing is lost: call it again, after a restart with the former signer. Meanwhile no
   * checkpoint may be signed, see `checkpointError`.
   *
   * @throws {TypeError} if the log has no signer, or `next` is not a signer with a new key and the name of one
   * @throws {AuditUnavailableError} if the statement could not be stored
   */
  rotateKey(next: NoteSigner): Promise<SignedCheckpoint>;
  /**
   * Puts a legal hold into force: from then on retention removes nothing, in this and later processes,
   * until {@link release}. States it in the log and resolves when the statement is durable and no removal
   * is in progress. After a rejection the hold is in force until this process ends.
   *
   * @param name - of the hold, 1 to 256 characters
   * @throws {TypeError} if the name or the reason is not such a text
   * @throws {AuditUnavailableError} if the statement could not be stored
   */
  hold(name: string, reason?: string): Promise<AuditEvent>;
  /**
   * Ends a legal hold and states it in the log.
   *
   * @throws {RangeError} if no hold of this name is in force
   * @throws {AuditUnavailableError} if the statement could not be stored: the hold stays in force
   */
  release(name: string, reason?: string): Promise<AuditEvent>;
  /**
   * States that the clock is right after a step that was not believed, so that events are removed for their
   * age again. Look at the clock first: if it is wrong, fresh events are removed.
   *
   * @throws {RangeError} if no step is unconfirmed
   * @throws {AuditUnavailableError} if the statement could not be stored
   */
  confirmClock(): Promise<AuditEvent>;
  /** What keeps retention from removing events. Reads the log once. */
  retention(): Promise<RetentionState>;
  /** The source this log is read from, for the functions of `@temper/audit/read`. */
  readonly source: AuditSource;
  stats(): AuditLogStats;
  /**
   * Flushes, signs a last checkpoint and closes the sinks. Idempotent.
   *
   * @throws {AuditUnavailableError} after closing the sinks, if events could not be stored
   * @throws {AuditLossError} after closing the sinks, if events were lost and not reported by `flush`
   */
  close(): Promise<void>;
}

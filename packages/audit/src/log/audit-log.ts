import type { SignedCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { ExportOptions } from '../read/export/export-events.ts';
import type { AuditPage, AuditQuery } from '../read/query.ts';
import type { VerifyOptions, VerifyReport } from '../read/verify-report.ts';
import type { AuditSource, SinkRecovery } from '../sinks/sink.ts';
import type { SinkHealth } from './writer-queue.ts';

/** A sink, as {@link AuditLogStats} shows it. */
export interface SinkStats {
  readonly name: string;
  readonly health: SinkHealth;
  /** Last sequence that it has stored. */
  readonly sequence: number;
  /** Events held in memory for it. */
  readonly held: number;
  /** Whether it is missing more than what is held, and waits to be brought up from another sink. */
  readonly behind: boolean;
  /** Tries that failed or took too long. */
  readonly failures: number;
  /** Events that it will never get. Only of sinks that keep no chain. */
  readonly missed: number;
  /** Why it is not ready. */
  readonly error: string | undefined;
}

/** A plain snapshot of a log. */
export interface AuditLogStats {
  /** `unavailable`: too few sinks can store. */
  readonly state: 'idle' | 'opening' | 'open' | 'unavailable' | 'closed';
  /** Last sequence given to an event. */
  readonly sequence: number;
  /** Events that became durable since this log was made. */
  readonly stored: number;
  /** Callers that were refused. */
  readonly refused: number;
  /** Callers that went on before their event was durable. */
  readonly degraded: number;
  /** Events that were let go. */
  readonly dropped: number;
  /** Events handed to the log and not yet durable. */
  readonly pending: number;
  /** How many events the last signed checkpoint covers; 0 without one. */
  readonly checkpointed: number;
  readonly sinks: readonly SinkStats[];
}

/** What a log found when it opened. */
export interface OpenReport {
  /** Last sequence in the log; 0 when it was empty. */
  readonly sequence: number;
  /** Repairs that sinks made: an event torn by a crash was cut off. */
  readonly recovered: readonly (SinkRecovery & { readonly sink: string })[];
}

/** A durable, tamper-evident log of who did what. */
export interface AuditLog extends AsyncDisposable {
  /** Names the log in errors, metrics and its own events. */
  readonly name: string;
  /**
   * Adds an event, and resolves when it is durable in as many sinks as the rule asks for.
   *
   * @throws {TypeError} when the event is not what {@link AuditEventInput} says
   * @throws {AuditUnavailableError} when too few sinks can store it, unless the log degrades
   * @throws {AuditClosedError} when the log has been closed
   */
  append(event: AuditEventInput): Promise<AuditEvent>;
  /**
   * Adds an event without waiting for it. The queue of such events is bounded; one that does not fit
   * is dropped, counted, and accounted for in the log once it can be.
   *
   * @throws {TypeError} when the event is not what {@link AuditEventInput} says
   * @throws {AuditClosedError} when the log has been closed
   */
  record(event: AuditEventInput): void;
  /**
   * Opens the sinks, which otherwise happens with the first event.
   *
   * @throws {AuditUnavailableError} when too few of them can be opened
   */
  ready(): Promise<OpenReport>;
  /** @throws {AuditUnavailableError} if the last try has shown that events cannot be stored */
  assertAvailable(): void;
  /** Events that match, in pages. Limits mean what they say: 0 is none. */
  query(query?: AuditQuery): Promise<AuditPage>;
  /** The last `limit` events, oldest first. @defaultValue 100 */
  getEvents(limit?: number): Promise<readonly AuditEvent[]>;
  /** Every event that matches, one by one, without holding them all. */
  stream(query?: AuditQuery): AsyncIterable<AuditEvent>;
  /** Every event that matches, as lines of JSON in the log's own or another format. */
  export(options?: ExportOptions): AsyncIterable<string>;
  /** Reads the whole log and tells whether it is what was written. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Signs a checkpoint over all that is durable, and returns the signed note.
   *
   * @throws {TypeError} when the log has no signer
   */
  checkpoint(): Promise<SignedCheckpoint>;
  /** Where the log is read from: for proofs, exports and anything else that takes a source. */
  readonly source: AuditSource;
  /**
   * Waits until all that was handed over so far is durable.
   *
   * @throws {AuditUnavailableError} when it cannot be made so
   */
  flush(): Promise<void>;
  stats(): AuditLogStats;
  /**
   * Flushes, signs a last checkpoint, and releases the sinks. Idempotent.
   *
   * @throws {AuditUnavailableError} after releasing them, when events could not be stored
   */
  close(): Promise<void>;
}

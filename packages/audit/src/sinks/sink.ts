import type { ChainHead, SealedEvent } from '../chain/hash-chain.ts';

/** State of a sink after opening. */
export interface SinkState {
  /** Head of the sink's chain, with the timestamp of that event if there is one. */
  readonly head: ChainHead & { readonly timestamp?: string };
  /** A repair made at opening; undefined if none was needed. */
  readonly recovered?: SinkRecovery | undefined;
}

/** A repair made by a sink at opening. */
export interface SinkRecovery {
  /** Bytes of a partly written, unacknowledged event that were removed from the end. */
  readonly tornBytes: number;
  /** Path of the repaired file. */
  readonly location: string;
}

/** Events beyond the limits of a sink: sequence and hash of the last one. */
export interface Retirable extends ChainHead {
  /** Sequence of the first one. */
  readonly from: number;
}

/** A signed checkpoint as a sink stores it. */
export interface StoredCheckpoint {
  /** The signed note, in C2SP checkpoint format. */
  readonly note: string;
  /** Number of events covered. */
  readonly size: number;
  /** Roots of the perfect subtrees at that size, hexadecimal, to continue the tree from there. */
  readonly frontier: readonly string[];
}

/** The last event removed by retention; the log begins after it. */
export interface Anchor extends ChainHead {
  /**
   * Roots of the perfect subtrees of the removed events' Merkle tree, hexadecimal. Without them the
   * chain can be verified, but not the checkpoints.
   */
  readonly frontier?: readonly string[];
}

/** Range of lines to read. */
export interface ReadRange {
  /** First sequence, inclusive. @defaultValue the oldest event */
  readonly from?: number;
  /** Last sequence, inclusive. @defaultValue the newest event */
  readonly to?: number;
  /** Newest first. @defaultValue false */
  readonly reverse?: boolean;
  /** Optional optimisation: lines that do not match may be omitted. The reader filters again. */
  readonly filter?: LineFilter;
}

/** Conditions that a store can evaluate without parsing lines. */
export interface LineFilter {
  /** Accepted values by field; every field must match. */
  readonly equals: ReadonlyMap<IndexedField, readonly string[]>;
  /** ISO timestamps; `since` is inclusive, `until` is exclusive. */
  readonly since?: string;
  readonly until?: string;
  /** Whether a line can match. May be true for a line that does not match, never false for one that does. */
  readonly mayMatch: (line: string) => boolean;
}

/** Fields that a store can look up by value. */
export type IndexedField =
  | 'id'
  | 'eventType'
  | 'action'
  | 'resource'
  | 'status'
  | 'actor'
  | 'traceId'
  | 'spanId';

/** A source of events: a sink that can be read, or a log opened for reading only. */
export interface AuditSource {
  /** Name in error messages. */
  readonly name: string;
  /**
   * Whether the source has only the last events by design, like a display. Then events before its anchor
   * are missing without a statement of the log, and are not verified.
   *
   * @defaultValue false
   */
  readonly partial?: boolean;
  /** Lines in order of sequence, in batches. Lines are returned exactly as stored, so that verification works. */
  read(range: ReadRange): AsyncIterable<readonly string[]>;
  /** The last event removed by retention; undefined if none was removed. */
  anchor(): Promise<Anchor | undefined>;
  /** Stored checkpoints, smallest first. */
  checkpoints(): Promise<readonly StoredCheckpoint[]>;
}

/** A store of events. Implement it to add a kind of store. */
export interface AuditSink {
  /** Name in errors, statistics and metrics. */
  readonly name: string;
  /**
   * Whether the events of a resolved {@link write} survive a crash. Sinks that are not durable do not
   * count towards the log's rule, unless no sink is durable.
   */
  readonly durable: boolean;
  /**
   * Opens the store for writing, repairs it and returns its state. Called before the first write and
   * after every failed write, so that the sink can determine which events were stored.
   */
  open(log: string): Promise<SinkState>;
  /**
   * Stores a batch of events atomically and in order. Called with one batch at a time, each continuing
   * the chain. Resolves when the events are stored. After a rejection the log calls {@link open} before
   * the next write.
   */
  write(batch: readonly SealedEvent[]): Promise<void>;
  /**
   * The oldest events, if they are beyond the limits of the sink. Asked after every write, and again
   * until they are removed, so it must be quick. The log then states in an event that it removes them,
   * has that event and the events to remove covered by a published checkpoint if it signs any, and calls
   * {@link retire}.
   *
   * @param options.byAge - false while the clock is not trusted: then only those beyond a number or a size
   *   are removed. Default true
   */
  retirable?(options?: { readonly byAge?: boolean }): Promise<Retirable | undefined>;
  /**
   * Removes the events up to `last` and stores their {@link Anchor}. Can be called during a write.
   *
   * @param last - sequence and hash of an event that {@link retirable} returned
   */
  retire?(last: ChainHead): Promise<void>;
  /** Stores a checkpoint. */
  saveCheckpoint?(checkpoint: StoredCheckpoint): Promise<void>;
  /** Closes the store. */
  close(): Promise<void>;
  /** Reads the stored events; undefined if the sink cannot be read. */
  readonly source?: AuditSource;
}

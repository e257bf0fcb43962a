import type { ChainHead, SealedEvent } from '../chain/hash-chain.ts';

/** What a sink found when it was opened. */
export interface SinkState {
  /** Where its chain stands. */
  readonly head: ChainHead;
  /** What had to be repaired, for people; undefined when nothing. */
  readonly recovered?: SinkRecovery | undefined;
}

/** A repair that a sink made at opening. */
export interface SinkRecovery {
  /** Bytes of an event that was never acknowledged, cut from the end. */
  readonly tornBytes: number;
  /** Where they were: a file. */
  readonly location: string;
}

/** Something that a sink did while it wrote and that the log writes down. */
export interface SinkWriteResult {
  /** Events that retention has removed: the last one's sequence and hash. */
  readonly retired: ChainHead & {
    /** The first of them. */
    readonly from: number;
  };
}

/** A signed checkpoint as a sink keeps it. */
export interface StoredCheckpoint {
  /** The signed note, in C2SP checkpoint format. */
  readonly note: string;
  /** How many events it covers. */
  readonly size: number;
  /** Roots of the perfect subtrees at that size, hexadecimal: what is needed to go on from there. */
  readonly frontier: readonly string[];
}

/** The place where a log whose beginning was removed by retention now begins. */
export interface Anchor extends ChainHead {
  /**
   * Roots of the perfect subtrees of the removed events' Merkle tree, hexadecimal. Without them the
   * chain can still be verified from here, but not checkpoints.
   */
  readonly frontier?: readonly string[];
}

/** Which lines to read. */
export interface ReadRange {
  /** First sequence, inclusive. @defaultValue the oldest there is */
  readonly from?: number;
  /** Last sequence, inclusive. @defaultValue the newest there is */
  readonly to?: number;
  /** Newest first. @defaultValue false */
  readonly reverse?: boolean;
  /** A hint: lines that this refuses need not be delivered. The reader filters again. */
  readonly filter?: LineFilter;
}

/** A condition that a store can decide cheaply, before a line is parsed. */
export interface LineFilter {
  /** Exact values by field; every one must match. */
  readonly equals: ReadonlyMap<IndexedField, readonly string[]>;
  /** ISO timestamps, inclusive and exclusive. */
  readonly since?: string;
  readonly until?: string;
  /** Whether a raw line can match: never false for a line that does. */
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

/** Where events can be read from: a sink that keeps them, or a log opened only to be read. */
export interface AuditSource {
  /** What it is, for people. */
  readonly name: string;
  /** Lines in order of sequence, in batches. Every line as stored, so that tampering shows. */
  read(range: ReadRange): AsyncIterable<readonly string[]>;
  /** Where the log begins, when retention has removed events. */
  anchor(): Promise<Anchor | undefined>;
  /** Stored checkpoints, smallest first. */
  checkpoints(): Promise<readonly StoredCheckpoint[]>;
}

/** Where a log writes to. Implement it to add a kind of store. */
export interface AuditSink {
  /** Names the sink in errors, statistics and metrics. */
  readonly name: string;
  /**
   * Whether a resolved {@link write} means that the events survive a crash. Sinks that do not promise
   * it never count towards the log's rule, unless there is no other kind.
   */
  readonly durable: boolean;
  /**
   * Takes the store for writing, repairs it, and tells where it stands. Called before the first write
   * and again after every failed one, so that the sink can find out what of it has been stored.
   */
  open(log: string): Promise<SinkState>;
  /**
   * Stores events, in order and all together. Called with one batch at a time, each continuing the
   * chain. Resolves when they are as safe as this sink makes them. After a rejection the log calls
   * {@link open} before it tries again.
   */
  write(batch: readonly SealedEvent[]): Promise<SinkWriteResult | undefined>;
  /** Keeps a checkpoint beside the events. */
  saveCheckpoint?(checkpoint: StoredCheckpoint): Promise<void>;
  /** Releases the store. */
  close(): Promise<void>;
  /** How to read it back, when it keeps what it is given. */
  readonly source?: AuditSource;
}

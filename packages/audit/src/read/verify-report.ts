import type { Anchor } from '../sinks/sink.ts';

/** What to hold a log against. */
export interface VerifyOptions {
  /** Verifier keys whose signatures count, as {@link generateSigningKey} makes them. */
  readonly keys?: readonly string[];
  /**
   * Signed checkpoints that were kept where the log's writer cannot reach. Nothing else shows that a
   * log was truncated, or rewritten by somebody who holds its key.
   */
  readonly checkpoints?: readonly string[];
  /**
   * Whether a log that no trusted checkpoint covers is a problem.
   *
   * @defaultValue whether {@link keys} are given
   */
  readonly requireCheckpoint?: boolean;
  /** Stops the verification, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called now and then with the number of events verified. */
  readonly onProgress?: (events: number) => void;
}

/** What can be wrong with a log. */
export type VerifyProblemKind =
  /** A line is not an event. */
  | 'malformed'
  /** An event does not match its hash, or the next one does not continue it. */
  | 'edited'
  /** Events are missing. */
  | 'removed'
  /** An event is there that does not belong. */
  | 'inserted'
  /** Events are there, but not in their places. */
  | 'reordered'
  /** A checkpoint covers more events than there are. */
  | 'truncated'
  /** The chain holds, but is not the one that was signed. */
  | 'rewritten'
  /** A checkpoint is malformed, or its signature does not match. */
  | 'checkpoint'
  /** No trusted checkpoint covers the log. */
  | 'unsigned';

/** The first thing that is wrong with a log. */
export interface VerifyProblem {
  readonly kind: VerifyProblemKind;
  /** The first event that is wrong, or the first that may be. */
  readonly sequence: number;
  readonly message: string;
}

/** What verification found. */
export interface VerifyReport {
  readonly ok: boolean;
  /** The first thing that is wrong. */
  readonly problem: VerifyProblem | undefined;
  /** How many events were verified. */
  readonly events: number;
  /** The first and last of them; 0 when there are none. */
  readonly first: number;
  readonly last: number;
  /** Hash of the last of them. */
  readonly hash: string;
  /**
   * Root of the Merkle tree up to there, base64, as it stands in a checkpoint. Undefined where the
   * log has lost its beginning and kept no sum of it.
   */
  readonly root: string | undefined;
  /** Where the log begins, when retention has removed events. */
  readonly anchor: Anchor | undefined;
  readonly checkpoints: CheckpointCounts;
}

/** What became of the checkpoints in a verification. */
export interface CheckpointCounts {
  /** Compared with the log. */
  readonly checked: number;
  /** Of those, signed by one of the given keys, or kept elsewhere. */
  readonly trusted: number;
  /** How many events the last trusted one covers. */
  readonly covered: number;
  /** Older than where retention lets the log begin, so that they cannot be compared. */
  readonly tooOld: number;
}

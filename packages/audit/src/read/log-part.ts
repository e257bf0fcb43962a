import type { MerkleFrontier, NodeHash } from '../chain/merkle.ts';

/** A part of a log that is verified without the rest. */
export interface LogPart {
  /** Identifier that its events have. */
  readonly log: string;
  /** Sequence of the last event that it must have. */
  readonly to: number;
  /** Whether there is a proof between its end and a checkpoint of this size. */
  reaches(size: number): boolean;
  /** Whether that proof holds for the roots at the end of the part and of the checkpoint. */
  proves(size: number, root: NodeHash, end: MerkleFrontier): boolean;
}

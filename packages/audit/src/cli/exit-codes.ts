/** What the command's exit code says to a script. */
export const EXIT: {
  /** It did what it was asked; a verified log is sound. */
  readonly ok: 0;
  /** The log is not what was written. */
  readonly badLog: 1;
  /** The arguments make no sense. */
  readonly usage: 2;
  /** There is no such log, or it cannot be read. */
  readonly unreadable: 3;
  /** It was interrupted. */
  readonly interrupted: 130;
} = { ok: 0, badLog: 1, usage: 2, unreadable: 3, interrupted: 130 };

/** An exit code. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The arguments make no sense; the message says why. */
export class UsageError extends Error {}

/** There is no such log, or it cannot be read; the message says why. */
export class UnreadableError extends Error {}

/** What a function of the library finds wrong with its arguments is wrong with ours. */
export function asUsageError(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError
    ? new UsageError(error.message)
    : error;
}

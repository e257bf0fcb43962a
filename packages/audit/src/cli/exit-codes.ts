/** Exit codes of the command. */
export const EXIT: {
  /** Success; a verified log is valid. */
  readonly ok: 0;
  /** The log is invalid. */
  readonly invalidLog: 1;
  /** Invalid arguments. */
  readonly usage: 2;
  /** The log does not exist or cannot be read. */
  readonly unreadable: 3;
  /** No problem was found, but the log was held to nothing: see the report for what was not shown. */
  readonly unproven: 4;
  /** Interrupted by SIGINT. */
  readonly interrupted: 130;
} = { ok: 0, invalidLog: 1, usage: 2, unreadable: 3, unproven: 4, interrupted: 130 };

/** An exit code. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Invalid arguments. */
export class UsageError extends Error {}

/** The log does not exist or cannot be read. */
export class UnreadableError extends Error {}

/** Converts an argument error of the library into a {@link UsageError}. */
export function asUsageError(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError
    ? new UsageError(error.message)
    : error;
}

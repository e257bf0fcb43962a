import type { JobKind } from './jobs.ts';

/** What a job used too much of. */
export type WorkLimit = 'time' | 'memory';

/** A job exceeded a limit of its worker, which was stopped. The program caused it, not the toolchain. */
export class WorkLimitError extends Error {
  override readonly name = 'WorkLimitError';
  readonly limit: WorkLimit;

  /** @param max - milliseconds, or mebibytes */
  constructor(limit: WorkLimit, max: number) {
    super(
      limit === 'time'
        ? `The program was stopped: it needs more than ${max} ms to be parsed, compiled, checked or run.`
        : `The program was stopped: it needs more than ${max} MiB of memory.`,
    );
    this.limit = limit;
  }
}

/** A worker ended during a job, for a reason other than a limit. */
export class WorkerCrashError extends Error {
  override readonly name = 'WorkerCrashError';

  constructor(kind: JobKind) {
    super(`A worker of the toolchain ended unexpectedly during the job '${kind}'.`);
  }
}

/**
 * The toolchain threw an error that it does not document: a bug. The message has its name alone; the rest
 * may contain paths, and is for the log of the service.
 */
export class ToolchainBugError extends Error {
  override readonly name = 'ToolchainBugError';

  constructor(kind: JobKind, thrown: string) {
    super(`The toolchain failed with an unexpected ${thrown} during the job '${kind}'.`);
  }
}

/** No worker starts, or the pool is closed. */
export class WorkersUnavailableError extends Error {
  override readonly name = 'WorkersUnavailableError';
}

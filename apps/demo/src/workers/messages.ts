import type { Job, JobKind, Jobs } from './jobs.ts';
import type { WireError } from './wire-errors.ts';

/** A message to a worker: a job, or that it is to end. */
export type Assignment = { readonly id: number; readonly job: Job } | 'end';

export type WireOutcome =
  | { readonly ok: true; readonly value: Jobs[JobKind]['result'] }
  | { readonly ok: false; readonly error: WireError };

/** A message from a worker. */
export type Report =
  | { readonly type: 'ready' }
  | {
      readonly type: 'done';
      readonly id: number;
      readonly outcome: WireOutcome;
      /** Whether so much memory stays in use that the next job would pay for it. */
      readonly full: boolean;
    };

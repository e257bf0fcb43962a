import { loadDump } from '../changes/read-dump.ts';
import type { RateParts } from '../limiters/rate-limiter.ts';
import { createTurns } from '../limiters/rate-turns.ts';
import type { LimiterObserver } from '../observer.ts';
import { Refusals } from '../refusals.ts';

/** The parts of a limiter inside another one, which reports for both. */
export const UNREPORTED: RateParts = {
  observe: ({ name }, { onReject }): LimiterObserver => ({
    [Symbol.dispose]: () => {},
    counts: {
      allowed: 0,
      delayed: 0,
      aborted: 0,
      limit: 0,
      'queue-full': 0,
      deadline: 0,
      cost: 0,
      'calls-itself': 0,
    },
    refusals: new Refusals(name, onReject),
    begin: () => undefined,
    ended: () => undefined,
  }),
  observeLevels: () => ({ [Symbol.dispose]: () => undefined }),
  loadDump,
  createTurns,
};

import type { Scenario } from './scenario.ts';

/**
 * A server that loses half its workers, gets them back and more, and then becomes slow; callers want
 * twice what it can do throughout, and give up after a second. Its queue has no end, and it works for
 * callers that have given up.
 */
export const CHANGING_CAPACITY: Scenario = {
  phases: [
    { seconds: 30, workers: 20, serviceMs: 50, load: 2 },
    { seconds: 30, workers: 10, serviceMs: 50, load: 2 },
    { seconds: 30, workers: 40, serviceMs: 50, load: 2 },
    { seconds: 30, workers: 40, serviceMs: 150, load: 2 },
    { seconds: 30, workers: 20, serviceMs: 50, load: 2 },
  ],
  patienceMs: 1000,
  maxQueue: Number.POSITIVE_INFINITY,
  refusalCost: 0,
  seed: 1,
};

/**
 * A server with a short queue that turns the rest away, for four tenths of the work of serving it. A
 * quiet beginning, then twice what it can do, while its capacity halves and then grows fourfold.
 */
export const COSTLY_REFUSALS: Scenario = {
  phases: [
    { seconds: 30, workers: 20, serviceMs: 50, load: 0.8 },
    { seconds: 45, workers: 20, serviceMs: 50, load: 2 },
    { seconds: 45, workers: 10, serviceMs: 50, load: 2 },
    { seconds: 45, workers: 40, serviceMs: 50, load: 2 },
  ],
  patienceMs: 1000,
  maxQueue: 20,
  refusalCost: 0.4,
  mix: { critical: 0.4, sheddable: 0.6 },
  seed: 1,
};

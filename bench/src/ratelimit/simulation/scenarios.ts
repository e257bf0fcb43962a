import type { Scenario } from './scenario.ts';

/**
 * A server whose number of workers halves, then quadruples, and which then becomes slow. The load is
 * always twice its capacity, and callers time out after one second. The queue is unbounded, and the
 * server also works for callers that have timed out.
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
 * A server with a short queue. A rejection costs 40 % of the work of a served request. The load is low
 * at first, then twice the capacity, while the capacity halves and then quadruples.
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

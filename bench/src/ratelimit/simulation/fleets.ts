import type { Scenario } from './scenario.ts';
import { heavyTailed } from './server.ts';

/** Clients that do not know of each other. */
export const CLIENTS = 200;

/** A server whose queue is unbounded: it answers everything, at last. */
const QUEUES = { maxQueue: Number.POSITIVE_INFINITY, refusalCost: 0 };
/** A server with a queue twice as long as its workers are many, whose refusals take a tenth of an answer. */
const refuses = (workers: number): Pick<Scenario, 'maxQueue' | 'refusalCost'> => ({
  maxQueue: 2 * workers,
  refusalCost: 0.1,
});

const fleet = (
  phases: Scenario['phases'],
  more: Pick<Scenario, 'maxQueue' | 'refusalCost' | 'draw'>,
): Scenario => ({ phases, patienceMs: 1000, seed: 1, ...more });

const steady = [{ seconds: 60, workers: 200, serviceMs: 50, load: 2 }];
const quiet = [{ seconds: 120, workers: 20, serviceMs: 50, load: 2 }];
const halving = [
  { seconds: 40, workers: 200, serviceMs: 50, load: 2 },
  { seconds: 60, workers: 100, serviceMs: 50, load: 4 },
];
const slower = [
  { seconds: 40, workers: 200, serviceMs: 50, load: 2 },
  { seconds: 60, workers: 200, serviceMs: 100, load: 4 },
];
const normal = [{ seconds: 60, workers: 200, serviceMs: 50, load: 0.8 }];

/** What a fleet of clients is compared at. All begin cold. */
export const FLEETS: Readonly<Record<string, Scenario>> = {
  'below capacity, queues': fleet(normal, QUEUES),
  'twice the capacity, queues': fleet(steady, QUEUES),
  'low rates, queues': fleet(quiet, QUEUES),
  'capacity halves, queues': fleet(halving, QUEUES),
  'becomes slow, queues': fleet(slower, QUEUES),
  'heavy tail, queues': fleet(steady, { ...QUEUES, draw: heavyTailed }),
  'twice the capacity, refuses': fleet(steady, refuses(200)),
  'low rates, refuses': fleet(quiet, refuses(20)),
  'capacity halves, refuses': fleet(halving, refuses(200)),
  'heavy tail, refuses': fleet(steady, { ...refuses(200), draw: heavyTailed }),
};

import type { Priority } from '@temper/core';
import { EventLoop, exponential, seeded } from './events.ts';
import { type Capacity, Server, type ServerOptions } from './server.ts';

/** A phase in which the server has a constant capacity. */
export interface Phase extends Capacity {
  readonly seconds: number;
  /** Offered requests as a multiple of the capacity. */
  readonly load: number;
}

/** The phases of the server and the behaviour of its callers. */
export interface Scenario extends ServerOptions {
  readonly phases: readonly Phase[];
  /** Timeout of callers, in milliseconds. Later responses do not count as goodput. */
  readonly patienceMs: number;
  /** Share of requests by priority. */
  readonly mix?: Readonly<Partial<Record<Priority, number>>>;
  readonly seed: number;
}

/** An admitted request. */
export interface Admitted {
  /** Called after a response in time. */
  served(): void;
  /** Called when the server rejected the request. */
  overloaded(): void;
  /** Called when the server did not respond in time. */
  timedOut(): void;
}

/** An admission strategy between the callers and the server. */
export interface Strategy {
  readonly name: string;
  admit(priority: Priority): Admitted | undefined;
  /** The value to plot, such as a limit or a ratio. */
  level(): number;
}

/** One second of the simulation. */
export interface Second {
  /** Responses in time. */
  readonly goodput: number;
  /** Responses that the server could have given. */
  readonly capacity: number;
  readonly offered: number;
  readonly level: number;
  readonly queued: number;
}

/** Result of a simulation. */
export interface Run {
  readonly name: string;
  readonly seconds: readonly Second[];
  /** Goodput as a share of the capacity, overall and by phase. */
  readonly share: number;
  readonly shares: readonly number[];
  /** Share of offered requests that got a response in time, by priority. */
  readonly answered: Readonly<Partial<Record<Priority, number>>>;
}

/** Runs a strategy through a scenario. */
export function simulate(
  scenario: Scenario,
  strategyOf: (loop: EventLoop, random: () => number) => Strategy,
): Run {
  const loop = new EventLoop();
  const random = seeded(scenario.seed);
  const strategy = strategyOf(loop, seeded(scenario.seed + 1));
  const server = new Server(loop, scenario.phases[0]!, scenario, random);
  const wanted = new Map<Priority, number>();
  const got = new Map<Priority, number>();
  let goodput = 0;
  let offered = 0;
  let { load } = scenario.phases[0]!;

  const priorityOf = priorities(scenario.mix ?? { critical: 1 }, random);
  const arrive = (): void => {
    loop.at(loop.now + exponential(1000 / (server.throughput * load), random), arrive);
    const priority = priorityOf();
    offered++;
    wanted.set(priority, (wanted.get(priority) ?? 0) + 1);
    const admitted = strategy.admit(priority);
    if (admitted === undefined) return;
    let waiting = true;
    const giveUp = loop.at(loop.now + scenario.patienceMs, () => {
      waiting = false;
      admitted.timedOut();
    });
    server.request((served) => {
      if (!waiting) return;
      giveUp.cancel();
      if (served) {
        goodput++;
        got.set(priority, (got.get(priority) ?? 0) + 1);
        admitted.served();
      } else {
        admitted.overloaded();
      }
    });
  };
  arrive();

  const seconds: Second[] = [];
  const shares: number[] = [];
  for (const phase of scenario.phases) {
    server.capacity = phase;
    load = phase.load;
    const from = seconds.length;
    for (let second = 0; second < phase.seconds; second++) {
      goodput = 0;
      offered = 0;
      loop.runUntil(loop.now + 1000);
      const level = strategy.level();
      seconds.push({ goodput, offered, level, capacity: server.throughput, queued: server.queued });
    }
    shares.push(shareOf(seconds.slice(from)));
  }
  const answered = Object.fromEntries(
    [...wanted].map(([priority, count]) => [priority, (got.get(priority) ?? 0) / count]),
  );
  return { name: strategy.name, seconds, share: shareOf(seconds), shares, answered };
}

function shareOf(seconds: readonly Second[]): number {
  const sum = (key: 'goodput' | 'capacity') => seconds.reduce((total, one) => total + one[key], 0);
  return sum('goodput') / sum('capacity');
}

function priorities(
  mix: Readonly<Partial<Record<Priority, number>>>,
  random: () => number,
): () => Priority {
  const entries = Object.entries(mix) as [Priority, number][];
  return () => {
    let left = random();
    for (const [priority, share] of entries) {
      left -= share;
      if (left < 0) return priority;
    }
    return entries.at(-1)![0];
  };
}

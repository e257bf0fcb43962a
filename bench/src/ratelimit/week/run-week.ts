import { EventLoop, seeded } from '../simulation/events.ts';
import { Server } from '../simulation/server.ts';
import type { MakeGate } from './gates.ts';
import {
  Arrivals,
  CALLERS,
  type Caller,
  HOUR_MS,
  type Hours,
  WEEK_MS,
  type Week,
} from './traffic.ts';

/** Six calls per second. */
const CAPACITY = { workers: 6, serviceMs: 1000 };
/** How long callers wait, in milliseconds. */
const PATIENCE_MS = 8000;
/** Weeks of usual traffic before. */
const LEARNED = 2;
/** Time between two values of a plot. */
export const SAMPLE_MS = 900_000;
/** Calls that come before the measured week are made at once in steps of this length. */
const LEARN_STEP_MS = 10_000;

/** Calls of one caller in an hour. */
interface Count {
  asked: number;
  /** Answered within the time that callers wait. */
  answered: number;
}

/** Result of a week. */
export interface WeekRun {
  /** By caller, for each hour of the week. */
  readonly hours: Readonly<Record<Caller, readonly Count[]>>;
  /** Calls of search per minute that were asked for, and the limit, for each sample. */
  readonly asked: readonly number[];
  readonly limits: readonly number[];
}

/** Runs a week after two usual ones, in virtual time. */
export function runWeek(week: Week, makeGate: MakeGate, seed = 1): WeekRun {
  const loop = new EventLoop();
  const gate = makeGate(loop, seeded(seed + 1));
  for (let i = 0; i < LEARNED; i++) learn(loop, i * WEEK_MS, seed + 100 * (i + 1), gate.learn);

  const server = new Server(
    loop,
    CAPACITY,
    { maxQueue: Number.POSITIVE_INFINITY, refusalCost: 0 },
    seeded(seed),
  );
  const start = LEARNED * WEEK_MS;
  const counts = (): Count[] =>
    Array.from({ length: WEEK_MS / HOUR_MS }, () => ({ asked: 0, answered: 0 }));
  const hours = { search: counts(), runaway: counts(), batch: counts() };
  let asked = 0;
  for (const caller of CALLERS) {
    const arrivals = new Arrivals(caller, week, seed);
    const call = (): void => {
      schedule();
      const count = hours[caller][Math.floor((loop.now - start) / HOUR_MS)]!;
      count.asked++;
      if (caller !== 'batch') asked++;
      const admitted = gate.admit(caller !== 'batch');
      if (admitted === undefined) return;
      let waiting = true;
      const giveUp = loop.at(loop.now + PATIENCE_MS, () => {
        waiting = false;
        admitted.timedOut();
      });
      server.request(() => {
        if (!waiting) return;
        giveUp.cancel();
        count.answered++;
        admitted.served();
      });
    };
    const schedule = (): void => {
      const at = arrivals.after(loop.now - start);
      if (at < WEEK_MS) loop.at(start + at, call);
    };
    schedule();
  }
  const samples: number[] = [];
  const limits: number[] = [];
  for (let at = SAMPLE_MS; at <= WEEK_MS; at += SAMPLE_MS) {
    asked = 0;
    loop.runUntil(start + at);
    samples.push(asked / (SAMPLE_MS / 60_000));
    limits.push(gate.limit());
  }
  return { hours, asked: samples, limits };
}

function learn(loop: EventLoop, start: number, seed: number, calls: (count: number) => void): void {
  const arrivals = new Arrivals('search', {}, seed);
  let next = arrivals.after(0);
  for (let at = LEARN_STEP_MS; at <= WEEK_MS; at += LEARN_STEP_MS) {
    let count = 0;
    for (; next < at; next = arrivals.after(next)) count++;
    loop.runUntil(start + at);
    calls(count);
  }
}

/** Answers in time as a share of the calls in some hours; 1 where there were none. */
export function answered(run: WeekRun, caller: Caller, within: (hour: number) => boolean): number {
  const counts = run.hours[caller].filter((_, hour) => within(hour));
  const sum = (key: keyof Count): number => counts.reduce((total, one) => total + one[key], 0);
  return sum('asked') === 0 ? 1 : sum('answered') / sum('asked');
}

/** Whether an hour is one of these. */
export function isWithin(hour: number, { from, to }: Hours): boolean {
  return hour >= from && hour < to;
}

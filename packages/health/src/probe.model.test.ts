import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type HealthMonitor, healthMonitor } from './monitor.ts';
import type { HealthReport } from './report.ts';

const TIMEOUT = 200;
const TTL = 500;

/** Model of a probe. */
interface Model {
  readonly reach: Reach<
    'started' | 'shared' | 'cached' | 'timed out' | 'hangs' | 'healthy' | 'late'
  >;
  now: number;
  /** Start time of the call of the check that has not settled. */
  runningSince: number | undefined;
  timedOut: boolean;
  starts: number;
  last: { status: 'healthy' | 'unhealthy'; at: number } | undefined;
  results: number;
}

class Real {
  readonly clock = new ManualClock();
  readonly monitor: HealthMonitor;
  starts = 0;
  running = 0;
  settleCheck: ((passes: boolean) => void) | undefined;
  readonly waiting: Promise<HealthReport>[] = [];

  constructor() {
    this.monitor = healthMonitor({
      clock: this.clock,
      historySize: 10_000,
      checks: [
        {
          name: 'db',
          timeoutMs: TIMEOUT,
          ttlMs: TTL,
          check: () => {
            this.starts++;
            this.running++;
            expect(this.running).toBe(1);
            return new Promise((resolve) => {
              this.settleCheck = (passes) => {
                this.running--;
                this.settleCheck = undefined;
                resolve(passes);
              };
            });
          },
        },
      ],
    });
  }
}

type Command = fc.AsyncCommand<Model, Real>;

const fresh = (model: Model) => model.last !== undefined && model.now - model.last.at < TTL;
const underWay = (model: Model) => model.runningSince !== undefined && !model.timedOut;

async function compare(model: Model, real: Real): Promise<void> {
  await settle();
  expect(real.starts).toBe(model.starts);
  expect(real.monitor.history('db')).toHaveLength(model.results);
  expect(real.monitor.stats().checks[0]?.status).toBe(model.last?.status);
}

class Ask implements Command {
  readonly callers: number;
  constructor(callers: number) {
    this.callers = callers;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    for (let caller = 0; caller < this.callers; caller++) real.waiting.push(real.monitor.check());
    model.reach.count('shared', underWay(model) || this.callers > 1);
    model.reach.count('cached', !underWay(model) && fresh(model));
    if (!underWay(model) && !fresh(model)) {
      model.reach.count(model.runningSince === undefined ? 'started' : 'hangs');
      if (model.runningSince === undefined) {
        model.starts++;
        model.runningSince = model.now;
        model.timedOut = false;
      } else {
        model.last = { status: 'unhealthy', at: model.now };
        model.results++;
      }
    }
    await compare(model, real);
  }
  toString = () => `ask(${this.callers})`;
}

class Advance implements Command {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    await real.clock.advance(this.ms);
    const timeoutAt = (model.runningSince ?? 0) + TIMEOUT;
    if (underWay(model) && model.now + this.ms >= timeoutAt) {
      model.timedOut = true;
      model.reach.count('timed out');
      model.last = { status: 'unhealthy', at: timeoutAt };
      model.results++;
    }
    model.now += this.ms;
    await compare(model, real);
  }
  toString = () => `advance(${this.ms})`;
}

class Settle implements Command {
  readonly passes: boolean;
  constructor(passes: boolean) {
    this.passes = passes;
  }
  check = (model: Readonly<Model>) => model.runningSince !== undefined;
  async run(model: Model, real: Real): Promise<void> {
    real.settleCheck?.(this.passes);
    model.reach.count('late', model.timedOut);
    model.reach.count('healthy', this.passes && !model.timedOut);
    if (!model.timedOut) {
      model.last = { status: this.passes ? 'healthy' : 'unhealthy', at: model.now };
      model.results++;
    }
    model.runningSince = undefined;
    await compare(model, real);
  }
  toString = () => `settle(${this.passes})`;
}

it('runs one probe at a time, and only without a cached result, for any order of events', async () => {
  const reach: Model['reach'] = new Reach(
    'started',
    'shared',
    'cached',
    'timed out',
    'hangs',
    'healthy',
    'late',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.commands(
        [
          fc.integer({ min: 1, max: 5 }).map((callers) => new Ask(callers)),
          fc.integer({ min: 1, max: 700 }).map((ms) => new Advance(ms)),
          fc.boolean().map((passes) => new Settle(passes)),
        ],
        { maxCommands: 30 },
      ),
      async (commands) => {
        const real = new Real();
        const model: Model = {
          reach,
          now: 0,
          runningSince: undefined,
          timedOut: false,
          starts: 0,
          last: undefined,
          results: 0,
        };
        await fc.asyncModelRun(() => ({ model, real }), commands);
        // Every caller has received a report.
        await real.clock.advance(TIMEOUT);
        await Promise.all(real.waiting);
      },
    ),
    { numRuns: 150 },
  );
  reach.expectAll(10);
});

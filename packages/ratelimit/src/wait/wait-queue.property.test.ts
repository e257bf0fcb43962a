import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimitExceededError } from '../errors.ts';
import type { Lease } from '../limiter.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { RuleLimiter } from '../limiters/rate-limiter.ts';
import { REPORTED_RATE } from '../limiters/rate-parts.ts';
import { FixedWindowRule } from '../rules/fixed-window.ts';
import { GcraRule } from '../rules/gcra.ts';
import type { Rule } from '../rules/rule.ts';
import { SlidingWindowRule } from '../rules/sliding-window.ts';
import { TokenBucketRule } from '../rules/token-bucket.ts';
import { QUEUE_DEFAULTS } from './options.ts';

type Step =
  | { do: 'try'; cost: number }
  | { do: 'acquire'; cost: number; maxWaitMs: number | undefined }
  | { do: 'abort'; which: number }
  | { do: 'advance'; ms: number }
  | { do: 'jump'; ms: number }
  | { do: 'adjust'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('try' as const), cost: cost() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      cost: cost(),
      maxWaitMs: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(12) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.integer({ min: 0, max: 120 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('jump' as const),
      ms: fc.integer({ min: 0, max: 500 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('adjust' as const),
      ms: fc.integer({ min: -1e9, max: 1e9 }),
    }),
  },
);

function cost(): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: 4 });
}

const START = 1000;
const MAX_QUEUE = 4;

interface Waiting {
  id: number;
  cost: number;
  deadline: number;
}

/** The queue in its simplest form: it looks at every millisecond. */
class PlainQueue {
  readonly rule: Rule;
  state: Float64Array;
  now = START;
  waiting: Waiting[] = [];
  readonly log: string[] = [];

  constructor(rule: Rule) {
    this.rule = rule;
    this.state = new Float64Array(rule.slots);
    rule.reset(this.state, 0, START);
  }

  serve(): void {
    for (;;) {
      const head = this.waiting[0];
      if (head === undefined) return;
      if (head.deadline < this.now) {
        this.leave(head, 'deadline');
        continue;
      }
      if (!this.rule.take(this.state, 0, this.now, head.cost)) break;
      this.leave(head, 'granted');
    }
    const expired = this.waiting.filter(({ deadline }) => deadline <= this.now);
    for (const one of expired) this.leave(one, 'deadline');
    if (expired.length > 0) this.serve();
  }

  leave(one: Waiting, how: string): void {
    this.waiting = this.waiting.filter((other) => other !== one);
    this.log.push(`${one.id} ${how} at ${this.now}`);
  }

  advance(ms: number): void {
    this.serve();
    for (let i = 0; i < ms; i++) {
      this.now++;
      this.serve();
    }
  }

  acquire(one: Waiting): void {
    if (this.waiting.length === 0 && this.rule.take(this.state, 0, this.now, one.cost)) {
      this.log.push(`${one.id} granted at ${this.now}`);
    } else if (this.waiting.length >= MAX_QUEUE) {
      this.log.push(`${one.id} queue-full at ${this.now}`);
    } else if (one.deadline <= this.now || this.turnOf(one) > one.deadline) {
      this.log.push(`${one.id} deadline at ${this.now}`);
    } else {
      this.waiting.push(one);
      this.serve();
    }
  }

  /**
   * When a newcomer would be served if all that wait stayed. For a bucket this is the time at which the
   * units of all are there: a call that takes the whole capacity may be served up to a millisecond later.
   */
  turnOf(one: Waiting): number {
    const state = this.state.slice();
    let at = this.now;
    if (!('createForecast' in this.rule)) {
      const units = this.waiting.reduce((sum, { cost: ahead }) => sum + ahead, one.cost);
      return at + Math.ceil(this.rule.delay(state, 0, at, units) - 1e-6);
    }
    for (const { cost: units } of [...this.waiting, one]) {
      while (this.rule.delay(state, 0, at, units) > 0) at++;
      this.rule.take(state, 0, at, units);
    }
    return at;
  }
}

/** How a call ended; `served` after a wait. */
const ENDS = ['granted', 'deadline', 'queue-full', 'aborted', 'served'] as const;

async function play(
  rule: Rule,
  script: Step[],
  reach: Reach<(typeof ENDS)[number]>,
): Promise<void> {
  const clock = new ManualClock();
  const options = { ...QUEUE_DEFAULTS, name: 'test', clock, maxQueue: MAX_QUEUE };
  const limiter = new RuleLimiter(rule, options, REPORTED_RATE);
  const model = new PlainQueue(rule);
  const log: string[] = [];
  const waited = new Set<number>();
  const controllers: AbortController[] = [];
  const through: { at: number; cost: number }[] = [];

  for (const one of script) {
    switch (one.do) {
      case 'try': {
        const expected =
          model.waiting.length === 0 && rule.take(model.state, 0, model.now, one.cost);
        expect(limiter.tryAcquire({ cost: one.cost }) !== undefined).toBe(expected);
        if (expected) through.push({ at: clock.monotonic(), cost: one.cost });
        break;
      }
      case 'acquire': {
        const id = controllers.length;
        const controller = new AbortController();
        controllers.push(controller);
        const { cost: units, maxWaitMs } = one;
        limiter.acquire({ cost: units, signal: controller.signal, maxWaitMs }).then(
          () => {
            log.push(`${id} granted at ${clock.monotonic()}`);
            through.push({ at: clock.monotonic(), cost: one.cost });
          },
          (error: unknown) => {
            const how = error instanceof RateLimitExceededError ? error.reason : String(error);
            log.push(`${id} ${how} at ${clock.monotonic()}`);
          },
        );
        model.acquire({ id, cost: one.cost, deadline: model.now + (one.maxWaitMs ?? Infinity) });
        if (model.waiting.some((waiting) => waiting.id === id)) waited.add(id);
        break;
      }
      case 'abort': {
        const gone = model.waiting.find(({ id }) => id === one.which);
        controllers[one.which]?.abort('aborted');
        if (gone !== undefined) {
          model.leave(gone, 'aborted');
          model.serve();
        }
        break;
      }
      case 'advance':
        await clock.advance(one.ms);
        model.advance(one.ms);
        break;
      case 'jump':
        clock.jump(one.ms);
        model.now += one.ms;
        await clock.advance(0);
        model.serve();
        break;
      case 'adjust':
        clock.adjustWallClock(one.ms);
        break;
    }
    await settle();
    expect(limiter.stats().queued).toBe(model.waiting.length);
    expect(clock.pending).toBe(model.waiting.length > 0 ? 1 : 0);
    expect([...log].sort()).toEqual([...model.log].sort());
    const granted = (lines: string[]) => lines.filter((line) => line.includes('granted'));
    expect(granted(log)).toEqual(granted(model.log));
  }
  // Every wait ends, and the timer with the last one.
  await clock.advance(100_000);
  expect(limiter.stats().queued).toBe(0);
  expect(clock.pending).toBe(0);
  expectWithin(rule, through);
  for (const line of model.log) {
    const [id, how] = line.split(' ') as [string, (typeof ENDS)[number]];
    reach.count(how);
    reach.count('served', how === 'granted' && waited.has(Number(id)));
  }
}

function expectWithin(rule: Rule, through: { at: number; cost: number }[]): void {
  const span = (from: number, to: number) =>
    through.filter(({ at }) => at >= from && at < to).reduce((sum, one) => sum + one.cost, 0);
  for (const { at } of through) {
    if (rule.kind === 'sliding-window') {
      expect(span(at, at + rule.windowMs)).toBeLessThanOrEqual(rule.limit);
    } else if (rule.kind === 'fixed-window') {
      const start = START + Math.floor((at - START) / rule.windowMs) * rule.windowMs;
      expect(span(start, start + rule.windowMs)).toBeLessThanOrEqual(rule.limit);
    } else {
      for (const { at: end } of through) {
        const most = rule.capacity + ((end - at) * rule.limit) / rule.windowMs;
        if (end >= at) expect(span(at, end + 1)).toBeLessThanOrEqual(most + 1e-6);
      }
    }
  }
}

describe('the queue of a rate limiter', () => {
  const scripts = fc.array(step, { minLength: 1, maxLength: 40 });

  it.each([
    ['token bucket', new TokenBucketRule(10, 200, 5)],
    ['gcra', new GcraRule(7, 100, 4)],
    ['fixed window', new FixedWindowRule(6, 90)],
    ['sliding window', new SlidingWindowRule(6, 90, 3)],
  ])('behaves as a simple model that looks at every millisecond: %s', async (_, rule) => {
    const reach = new Reach(...ENDS);
    await fc.assert(
      fc.asyncProperty(scripts, (script) => play(rule, script, reach)),
      { numRuns: 300 },
    );
    reach.expectAll(10);
  });
});

describe('the queue of a concurrency limiter', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('acquire' as const), cost: cost() }),
    fc.record({ do: fc.constant('release' as const), which: fc.nat(10) }),
    fc.record({ do: fc.constant('abort' as const), which: fc.nat(15) }),
  );

  it('is in order of arrival, and never exceeds the limit', async () => {
    const reach = new Reach('waited', 'full', 'returned', 'left the queue');
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (script) => {
        const limiter = concurrency({ clock: new ManualClock(), limit: 5 });
        const held: Lease[] = [];
        const controllers: AbortController[] = [];
        let waiting: { id: number; cost: number }[] = [];
        const granted: number[] = [];
        const expected: number[] = [];
        let out = 0;
        const serve = (): void => {
          for (
            let head = waiting[0];
            head !== undefined && out + head.cost <= 5;
            head = waiting[0]
          ) {
            out += head.cost;
            expected.push(head.id);
            waiting = waiting.slice(1);
          }
        };
        for (const one of script) {
          if (one.do === 'acquire') {
            const id = controllers.length;
            const controller = new AbortController();
            controllers.push(controller);
            limiter.acquire({ cost: one.cost, signal: controller.signal }).then(
              (lease) => {
                granted.push(id);
                held.push(lease);
              },
              () => undefined,
            );
            waiting = [...waiting, { id, cost: one.cost }];
          } else if (one.do === 'release') {
            const [lease] = held.splice(one.which % Math.max(1, held.length), 1);
            reach.count('returned', lease !== undefined);
            if (lease !== undefined) out -= lease.cost;
            lease?.release();
          } else {
            controllers[one.which]?.abort('gone');
            reach.count(
              'left the queue',
              waiting.some(({ id }) => id === one.which),
            );
            waiting = waiting.filter(({ id }) => id !== one.which);
          }
          serve();
          reach.count('waited', waiting.length > 0);
          reach.count('full', out === 5);
          await settle();
          expect(granted).toEqual(expected);
          expect(limiter.stats()).toMatchObject({ inFlight: out, queued: waiting.length });
          expect(out).toBeLessThanOrEqual(5);
        }
      }),
      { numRuns: 100 },
    );
    reach.expectAll(20);
  });
});

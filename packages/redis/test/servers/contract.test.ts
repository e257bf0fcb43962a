import { MemoryBreakerStore } from '@temper/breaker/shared';
import { MemoryRateLimitStore, type StoreRule, type TakeResult } from '@temper/ratelimit/shared';
import { ManualClock } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisStore, redisStore } from '../../src/index.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';

const REAL_TIME = "local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]";
const GIVEN_TIME = "local now = tonumber(redis.call('GET', 'the time'))";

let server: RedisServer;
let redis: Redis;
/** Runs every script with the time that a test sets in place of the server's. */
const client = {
  status: 'ready',
  evalsha: () => Promise.reject(new Error('NOSCRIPT')),
  eval: (source: string, keys: number, ...rest: string[]): Promise<unknown> => {
    expect(source).toContain(REAL_TIME);
    return redis.eval(source.replace(REAL_TIME, GIVEN_TIME), keys, ...rest);
  },
};

beforeAll(async () => {
  server = await RedisServer.start();
  redis = new Redis(server.port, '127.0.0.1');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const HOUR = 3_600_000;
/** Where the time of the reference begins: a whole number of windows after the epoch of both stores. */
const START = 500_000 * HOUR;

/** Both stores with the same time. It is in hours, so that no key expires by the real clock. */
class Pair {
  readonly clock = new ManualClock();
  readonly memory: MemoryRateLimitStore;
  readonly circuits: MemoryBreakerStore;
  readonly store: RedisStore;
  #now = START;

  constructor() {
    const clock = { ...this.clock, monotonic: () => this.#now };
    this.memory = new MemoryRateLimitStore(clock);
    this.circuits = new MemoryBreakerStore(clock);
    this.store = redisStore({ client, commandTimeoutMs: 10_000 });
  }

  async begin(): Promise<void> {
    await redis.flushall();
    await this.pass(0);
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms;
    await redis.set('the time', String(this.#now * 1000));
  }
}

function near(found: number, expected: number): void {
  expect(Math.abs(found - expected)).toBeLessThan(0.01);
}

function same(found: TakeResult, expected: TakeResult): void {
  expect(found.remaining).toBe(expected.remaining);
  near(found.resetMs, expected.resetMs);
  expect(found.answers).toHaveLength(expected.answers.length);
  for (const [i, answer] of found.answers.entries()) {
    const other = expected.answers[i]!;
    expect(answer.taken).toBe(other.taken);
    if (answer.taken && other.taken) near(answer.waitMs, other.waitMs);
    if (!answer.taken && !other.taken) near(answer.retryAfterMs, other.retryAfterMs);
  }
}

const rule: fc.Arbitrary<StoreRule> = fc
  .record({
    kind: fc.constantFrom('token-bucket', 'gcra', 'sliding-window', 'fixed-window'),
    limit: fc.integer({ min: 1, max: 20 }),
    hours: fc.integer({ min: 1, max: 10 }),
    burst: fc.integer({ min: 1, max: 10 }),
    segments: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ kind, limit, hours, burst, segments }) => {
    const windowMs = hours * HOUR;
    if (kind === 'sliding-window') return { kind, limit, windowMs, segments };
    return kind === 'fixed-window' ? { kind, limit, windowMs } : { kind, limit, windowMs, burst };
  }) as fc.Arbitrary<StoreRule>;

// A clock that is set back is tested by the laws: the reference notes the time of reads too, the server
// only that of changes, so that their waits differ by what passed between.
const step = fc.oneof(
  fc.record({
    do: fc.constant('take' as const),
    key: fc.constantFrom('', 'a', 'b{}:'),
    calls: fc.array(
      fc.record({
        cost: fc.integer({ min: 1, max: 5 }),
        maxWaitMs: fc.constantFrom(0, HOUR, 5 * HOUR, Number.POSITIVE_INFINITY),
      }),
      { maxLength: 5 },
    ),
  }),
  fc.record({ do: fc.constant('giveBack' as const), which: fc.nat(10) }),
  fc.record({
    do: fc.constant('pass' as const),
    ms: fc.integer({ min: 0, max: 3 * HOUR }),
  }),
  fc.record({ do: fc.constant('rule' as const), rule }),
  fc.record({
    do: fc.constant('change' as const),
    key: fc.constantFrom('', 'a', 'b{}:'),
    change: fc.oneof(
      fc.constant({ kind: 'reset' as const }),
      fc.record({ kind: fc.constant('block' as const), durationMs: fc.constantFrom(0, HOUR) }),
      fc.record({ kind: fc.constant('charge' as const), units: fc.integer({ min: -5, max: 5 }) }),
    ),
  }),
);

describeWithRedis('the scripts, compared with the reference at times that the test sets', () => {
  it('take and give back the same units', async () => {
    const reach = new Reach('taken', 'refused', 'given back', 'blocked');
    await fc.assert(
      fc.asyncProperty(rule, fc.array(step, { maxLength: 25 }), async (first, script) => {
        const pair = new Pair();
        await pair.begin();
        let kept = first;
        const receipts: {
          request: { limiter: string; key: string; rule: StoreRule; cost: number };
          memory: string;
          redis: string;
        }[] = [];
        for (const one of script) {
          if (one.do === 'pass') {
            await pair.pass(one.ms);
          } else if (one.do === 'rule') {
            kept = one.rule;
          } else if (one.do === 'change') {
            const request = { limiter: 'l', key: one.key, rule: kept, change: one.change };
            await pair.memory.change(request);
            await pair.store.change(request);
            reach.count('blocked', one.change.kind === 'block' && one.change.durationMs > 0);
          } else if (one.do === 'giveBack') {
            const back = receipts[one.which];
            if (back === undefined) continue;
            reach.count('given back');
            await pair.memory.giveBack({ ...back.request, receipt: back.memory });
            await pair.store.giveBack({ ...back.request, receipt: back.redis });
          } else {
            const most = 'burst' in kept ? kept.burst : kept.limit;
            // Without calls, nothing is taken.
            const calls = one.calls.filter(({ cost }) => cost <= most);
            const request = { limiter: 'l', key: one.key, rule: kept, calls };
            const expected = await pair.memory.take(request);
            const found = await pair.store.take(request);
            same(found, expected);
            for (const [i, answer] of found.answers.entries()) {
              const other = expected.answers[i]!;
              reach.count('refused', !answer.taken);
              if (!answer.taken || !other.taken) continue;
              reach.count('taken');
              const { cost } = calls[i]!;
              receipts.push({
                request: { limiter: 'l', key: one.key, rule: kept, cost },
                memory: other.receipt,
                redis: answer.receipt,
              });
            }
          }
        }
      }),
      { numRuns: 2_000 },
    );
    reach.expectAll(50);
  });

  it('lease the same permits', async () => {
    const lease = fc.constantFrom('a', 'b', 'c', 'd');
    const action = fc.oneof(
      fc.record({ do: fc.constant('take' as const), lease, cost: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('renew' as const), leases: fc.uniqueArray(lease) }),
      fc.record({ do: fc.constant('return' as const), lease }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: HOUR }) }),
    );
    const reach = new Reach('granted', 'refused', 'expired', 'renewed', 'returned');
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (script) => {
        const pair = new Pair();
        await pair.begin();
        const id = { limiter: 'l', key: 'k' };
        const out = new Set<string>();
        for (const one of script) {
          if (one.do === 'pass') {
            await pair.pass(one.ms);
          } else if (one.do === 'return') {
            reach.count('returned', out.delete(one.lease));
            await pair.memory.returnPermits({ ...id, leases: [one.lease] });
            await pair.store.returnPermits({ ...id, leases: [one.lease], leaseMs: 2 * HOUR });
          } else if (one.do === 'renew') {
            const request = { ...id, leases: one.leases, leaseMs: 2 * HOUR };
            const lost = await pair.memory.renewPermits(request);
            expect(await pair.store.renewPermits(request)).toEqual(lost);
            reach.count('renewed', lost.length < one.leases.length);
            for (const gone of lost) reach.count('expired', out.delete(gone));
          } else if (!out.has(one.lease)) {
            // A lease is named once.
            const calls = [{ lease: one.lease, cost: one.cost }];
            const request = { ...id, calls, limit: 5, leaseMs: 2 * HOUR };
            const expected = await pair.memory.takePermits(request);
            const found = await pair.store.takePermits(request);
            expect({ ...found, expiryMs: Math.round(found.expiryMs) }).toEqual(expected);
            if (found.granted === 1) out.add(one.lease);
            reach.count(found.granted === 1 ? 'granted' : 'refused');
          }
        }
      }),
      { numRuns: 400 },
    );
    reach.expectAll(5);
  });

  it('count the same processes', async () => {
    const pair = new Pair();
    await pair.begin();
    for (const [node, hours] of [
      ['a', 2],
      ['b', 1],
      ['a', 1],
      ['c', 5],
    ] as const) {
      const request = { limiter: 'l', node, ttlMs: hours * HOUR };
      expect(await pair.store.announce(request)).toBe(await pair.memory.announce(request));
      await pair.pass(HOUR);
    }
  });

  it.each([1, 2, 3])(
    'close a circuit after %i successful trials, and not before',
    async (successThreshold) => {
      const pair = new Pair();
      await pair.begin();
      const circuit = 'payments';
      const opening = { circuit, open: true, generation: 0, openMs: HOUR, ttlMs: 10 * HOUR };
      for (const node of ['a', 'b']) {
        await pair.store.report({ ...opening, node, quorum: 0.5, minimumNodes: 2 });
      }
      await pair.pass(HOUR);
      for (let trial = 1; trial <= successThreshold; trial++) {
        const { lease = '' } = await pair.store.takeTrial({ circuit, node: 'a', leaseMs: HOUR });
        const result = { circuit, node: 'a', lease, verdict: 'success', openMs: HOUR } as const;
        const { state } = await pair.store.endTrial({ ...result, successThreshold });
        expect(state).toBe(trial < successThreshold ? 'half-open' : 'closed');
      }
    },
  );

  it('decide the same for shared circuits', async () => {
    const node = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const action = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('report' as const),
          node,
          open: fc.boolean(),
          behind: fc.integer({ min: 0, max: 2 }),
          openHours: fc.integer({ min: 0, max: 4 }),
          ttlHours: fc.integer({ min: 1, max: 6 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('trial' as const),
          node,
          hours: fc.integer({ min: 1, max: 2 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('end' as const),
          which: fc.constantFrom(0, 0, 0, 0, 1, 5),
          verdict: fc.constantFrom('success' as const, 'success', 'success', 'failure', 'ignored'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('pass' as const),
          ms: fc.integer({ min: 0, max: 2 * HOUR }),
        }),
      },
    );
    const quorum = fc.constantFrom(0, 0.3, 0.5, 0.75);
    const reach = new Reach('open', 'closed', 'half-open', 'leased', 'refused', 'ended');
    await fc.assert(
      fc.asyncProperty(quorum, fc.array(action, { maxLength: 40 }), async (share, script) => {
        const pair = new Pair();
        await pair.begin();
        const circuit = 'payments';
        const leases: { memory: string; redis: string }[] = [];
        let generation = 0;
        const equal = (found: object, expected: object): void => {
          for (const [name, value] of Object.entries(expected)) {
            const other = (found as Record<string, unknown>)[name];
            if (name.endsWith('Ms')) near(other as number, value as number);
            else expect([name, other]).toEqual([name, value]);
          }
        };
        for (const one of script) {
          if (one.do === 'pass') {
            await pair.pass(one.ms);
          } else if (one.do === 'report') {
            const report = {
              circuit,
              node: one.node,
              open: one.open,
              generation: Math.max(0, generation - one.behind),
              openMs: one.openHours * HOUR,
              ttlMs: one.ttlHours * HOUR,
              quorum: share,
              minimumNodes: 2,
            };
            const expected = await pair.circuits.report(report);
            equal(await pair.store.report(report), expected);
            reach.count(expected.state, expected.generation > generation);
            reach.count('half-open', expected.state === 'half-open');
            generation = expected.generation;
          } else if (one.do === 'trial') {
            const request = { circuit, node: one.node, leaseMs: one.hours * HOUR };
            const { lease, fleet, ...expected } = await pair.circuits.takeTrial(request);
            const found = await pair.store.takeTrial(request);
            equal(found, expected);
            equal(found.fleet, fleet);
            expect(found.lease === undefined).toBe(lease === undefined);
            if (lease !== undefined) leases.push({ memory: lease, redis: found.lease! });
            reach.count('leased', lease !== undefined);
            reach.count('refused', expected.verdict === 'refused');
          } else {
            // Mostly the newest, which may be in force.
            const lease = leases.at(-1 - one.which);
            if (lease === undefined) continue;
            const result = {
              circuit,
              node: 'a',
              verdict: one.verdict,
              openMs: HOUR,
              successThreshold: 2,
            };
            const expected = await pair.circuits.endTrial({ ...result, lease: lease.memory });
            equal(await pair.store.endTrial({ ...result, lease: lease.redis }), expected);
            reach.count('ended', expected.generation > generation || one.verdict === 'success');
            reach.count(expected.state, expected.generation > generation);
            generation = expected.generation;
          }
        }
      }),
      // A circuit closes in one of fifty scripts.
      { numRuns: 1_000 },
    );
    reach.expectAll(5);
  });
});

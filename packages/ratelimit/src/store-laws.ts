import type { RateLimitStore, StoreRule, TakeAnswer } from './shared/store.ts';

/** A store under test, and its time. */
export interface StoreUnderTest {
  readonly store: RateLimitStore;
  /** Lets time pass, by whole milliseconds; a negative number sets the store's clock back. */
  pass(ms: number): Promise<void>;
  /** Makes the store lose everything, as a flush does. Without it, that is not tested. */
  lose?(): Promise<void>;
}

/** One law of the port. `run` rejects with an error that says how it was broken. */
export interface StoreLaw {
  readonly name: string;
  run(): Promise<void>;
}

/** How far ahead a store grants places, in milliseconds: `RESERVATION_MS`. */
const AHEAD_MS = 1000;
const EPSILON = 1e-3;
const HOUR = 3_600_000;

/**
 * What every implementation of {@link RateLimitStore} must do, as tests for any test runner:
 *
 * ```ts
 * for (const { name, run } of rateLimitStoreLaws(create)) it(name, run);
 * ```
 *
 * @param create - creates an empty store whose time the laws control
 * @param seed - of the random sequences; the same seed gives the same ones
 * @param runs - how many random sequences each of those laws plays
 */
export function rateLimitStoreLaws(
  create: () => Promise<StoreUnderTest>,
  seed = 1,
  runs = 60,
): readonly StoreLaw[] {
  const law = (name: string, check: (test: StoreUnderTest) => Promise<void>): StoreLaw => ({
    name,
    run: async () => check(await create()),
  });
  const random = (
    name: string,
    play: (test: StoreUnderTest, chance: Chance) => Promise<void>,
  ): StoreLaw => ({
    name,
    run: async () => {
      for (let run = 0; run < runs; run++) {
        try {
          await play(await create(), new Chance(seed + run));
        } catch (error) {
          throw new Error(`With seed ${seed + run}: ${String(error)}`, { cause: error });
        }
      }
    },
  });
  return [
    random(
      'never lets through more than the larger rule, whatever rules, clock and losses',
      envelope,
    ),
    random('lets through no more than the larger of two rules asked for all the time', saturated),
    random('refuses no key for longer than its rule can mean', bounded),
    law('lets a raised limit take effect at once, and a lowered one', raised),
    law('uses units up under every rule of a key', together),
    law('serves no call behind one that can wait, and holds none up for one that cannot', order),
    law('grants places one second ahead, and no further', reservation),
    random('takes units back in any order', returned),
    law('takes a part of the units back, while it counts', partlyReturned),
    random('refuses no key for longer than its rule or its block can mean', adjusted),
    law('blocks, charges, credits and resets a key', changed),
    law('gives callers their shares by weight, whichever process asks first and most', shares),
    law('lets a caller have what no other waits for', alone),
    random('never grants more permits than the limit, and frees expired ones', permits),
    law('grants the permits of several calls from the first on', permitBatch),
    random('takes from several limits at once or from none', joint),
    law('counts the processes whose registration has not expired', counted),
  ];
}

/** A sequence of numbers from a seed (mulberry32). */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  of<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }
}

const KEY = { limiter: 'law', key: 'k' } as const;

function rule(chance: Chance): StoreRule {
  const limit = chance.of([1, 3, 5, 20, 100]);
  const windowMs = chance.of([1, 60, 500, 3600]) * 1000;
  switch (chance.int(0, 2)) {
    case 0:
      return { kind: 'token-bucket', limit, windowMs, burst: chance.of([1, 5, 30]) };
    case 1:
      return { kind: 'sliding-window', limit, windowMs, segments: chance.of([1, 4, 10]) };
    default:
      return { kind: 'fixed-window', limit, windowMs };
  }
}

const capacityOf = (of: StoreRule): number => ('burst' in of ? of.burst : of.limit);

/** Most units within a moment: two fixed windows meet at a boundary. */
const burstOf = (of: StoreRule): number => (of.kind === 'fixed-window' ? 2 : 1) * capacityOf(of);

/** How long a unit can be in use. */
function recoveryOf(of: StoreRule): number {
  if ('burst' in of) return (of.burst * of.windowMs) / of.limit;
  return 'segments' in of ? of.windowMs * (1 + 1 / of.segments) : of.windowMs;
}

/** Two rules at a time, some of which are replaced, and a clock that is set forth and back. */
async function envelope(test: StoreUnderTest, chance: Chance): Promise<void> {
  const first = rule(chance);
  // One time in four, the rule never changes.
  const alone = chance.next() < 0.25;
  const rules = [first, alone ? first : rule(chance)];
  const used = new Set(rules);
  /** Time that has passed; setting the clock back takes none. */
  let time = 0;
  let through: { at: number; cost: number; reserved: boolean }[] = [];
  for (let step = 0; step < 60; step++) {
    const what = chance.next();
    if (what < 0.08 && !alone) {
      rules[chance.int(0, 1)] = rule(chance);
      for (const each of rules) used.add(each);
    } else if (what < 0.12) {
      await test.pass(-chance.of([1, 1000, HOUR]));
    } else if (what < 0.14 && test.lose !== undefined) {
      await test.lose();
      // Nothing is known of what was taken before.
      through = [];
    } else if (what < 0.45) {
      const ms = chance.of([0, 1, 50, 200, 1000, 20_000, 700_000]);
      await test.pass(ms);
      time += ms;
    } else {
      const asked = chance.of(rules);
      const calls = Array.from({ length: chance.int(1, 6) }, () => ({
        cost: Math.min(chance.int(1, 4), capacityOf(asked)),
        maxWaitMs: chance.of([0, 0, 500, Number.POSITIVE_INFINITY]),
      }));
      const { answers } = await test.store.take({ ...KEY, rule: asked, calls });
      for (const [i, answer] of answers.entries()) {
        if (!answer.taken) continue;
        const { waitMs } = answer;
        through.push({ at: time + waitMs, cost: calls[i]!.cost, reserved: waitMs > 0 });
      }
    }
  }
  const burst = Math.max(...[...used].map(burstOf));
  const perMs = Math.max(...[...used].map(({ limit, windowMs }) => limit / windowMs));
  for (const from of through) {
    for (const to of through) {
      if (to.at < from.at) continue;
      let sum = 0;
      let reserved = 0;
      for (const each of through) {
        if (each.at < from.at || each.at > to.at) continue;
        sum += each.cost;
        if (each.reserved) reserved += each.cost;
      }
      // Units that were reserved count under the other rule when they are reserved, not when they are used.
      const early = used.size > 1 ? Math.min(reserved, perMs * AHEAD_MS) : 0;
      const most = burst + (to.at - from.at) * perMs + early;
      assert(sum <= most + EPSILON, `${sum} units within ${to.at - from.at} ms, at most ${most}`);
    }
  }
}

/** Two rules whose callers take all they can get, for many windows: the rules' windows begin at any time. */
async function saturated(test: StoreUnderTest, chance: Chance): Promise<void> {
  const one = (limit: number): StoreRule => {
    const kind = chance.of(['token-bucket', 'sliding-window', 'fixed-window'] as const);
    const windowMs = chance.of([500, 1000, 3000]);
    if (kind === 'token-bucket') return { kind, limit, windowMs, burst: chance.of([1, 5, 10]) };
    if (kind === 'sliding-window') return { kind, limit, windowMs, segments: chance.of([1, 4]) };
    return { kind, limit, windowMs };
  };
  const rules = [one(chance.of([2, 5, 10])), one(chance.of([4, 10, 20]))];
  const call = { cost: 1, maxWaitMs: 0 };
  const ask = async (rule: StoreRule): Promise<number> => {
    const { answers } = await test.store.take({ ...KEY, rule, calls: new Array(8).fill(call) });
    return answers.filter(({ taken }) => taken).length;
  };
  let through = await ask(rules[0]!);
  let time = 0;
  for (let step = 0; step < 120; step++) {
    const ms = chance.of([40, 90, 130]);
    await test.pass(ms);
    time += ms;
    if (step > 3) through += await ask(rules[step % 2]!);
    if (chance.next() < 0.5) through += await ask(chance.of(rules));
  }
  const burst = Math.max(...rules.map(burstOf));
  const perMs = Math.max(...rules.map(({ limit, windowMs }) => limit / windowMs));
  const most = burst + time * perMs;
  assert(through <= most + EPSILON, `${through} units within ${time} ms, at most ${most}`);
}

async function bounded(test: StoreUnderTest, chance: Chance): Promise<void> {
  let last = rule(chance);
  for (let step = 0; step < 30; step++) {
    if (chance.next() < 0.3) last = rule(chance);
    if (chance.next() < 0.3) await test.pass(chance.of([-HOUR, -1000, 10, 5000, HOUR]));
    const cost = chance.int(1, capacityOf(last));
    const maxWaitMs = chance.of([0, Number.POSITIVE_INFINITY]);
    const one = { ...KEY, rule: last, calls: [{ cost, maxWaitMs }] };
    const { answers, remaining, resetMs } = await test.store.take(one);
    const most = recoveryOf(last) + AHEAD_MS;
    const [answer] = answers as [TakeAnswer];
    const wait = answer.taken ? answer.waitMs : answer.retryAfterMs;
    assert(wait <= most + 1, `a wait of ${wait} ms, at most ${most}`);
    assert(resetMs <= most + 1, `a reset in ${resetMs} ms, at most ${most}`);
    assert(remaining <= capacityOf(last), `${remaining} units left`);
    if (answer.taken || chance.next() < 0.7) continue;
    await test.pass(Math.ceil(answer.retryAfterMs));
    const again = await test.store.take({ ...one, calls: [{ cost, maxWaitMs: 0 }] });
    assert(again.answers[0]!.taken, `a refusal after the wait of ${answer.retryAfterMs} ms`);
  }
}

async function raised({ store }: StoreUnderTest): Promise<void> {
  const window = (limit: number): StoreRule => ({ kind: 'fixed-window', limit, windowMs: HOUR });
  const sliding = (limit: number): StoreRule => ({
    kind: 'sliding-window',
    limit,
    windowMs: HOUR,
    segments: 10,
  });
  const bucket = (limit: number): StoreRule => ({
    kind: 'token-bucket',
    limit,
    windowMs: HOUR,
    burst: limit,
  });
  for (const [key, make] of Object.entries({ window, sliding, bucket })) {
    const id = { limiter: 'law', key };
    const call = { cost: 1, maxWaitMs: 0 };
    await store.take({ ...id, rule: make(5), calls: new Array(5).fill(call) });
    const up = await store.take({ ...id, rule: make(500), calls: [call] });
    assert(up.answers[0]!.taken && up.remaining === 494, `${key}: ${up.remaining} of 500 left`);
    const down = await store.take({ ...id, rule: make(8), calls: new Array(8).fill(call) });
    const taken = down.answers.filter((answer) => answer.taken).length;
    assert(taken === 2, `${key}: ${taken} of 8 taken when 6 are in use`);
    const less = await store.take({ ...id, rule: make(4), calls: [call] });
    assert(!less.answers[0]!.taken, `${key}: a unit of 4 when 8 are in use`);
  }
}

async function together({ store }: StoreUnderTest): Promise<void> {
  const small: StoreRule = { kind: 'token-bucket', limit: 3, windowMs: HOUR, burst: 3 };
  const large: StoreRule = { kind: 'sliding-window', limit: 10, windowMs: HOUR, segments: 4 };
  const call = { cost: 1, maxWaitMs: 0 };
  let taken = 0;
  for (let i = 0; i < 20; i++) {
    const { answers } = await store.take({ ...KEY, rule: i % 2 ? small : large, calls: [call] });
    if (answers[0]!.taken) taken++;
  }
  assert(taken <= 10, `${taken} units of 10, by two rules in turn`);
}

async function order({ store }: StoreUnderTest): Promise<void> {
  const kinds: StoreRule[] = [
    { kind: 'token-bucket', limit: 4, windowMs: HOUR, burst: 4 },
    { kind: 'sliding-window', limit: 4, windowMs: HOUR, segments: 2 },
    { kind: 'fixed-window', limit: 4, windowMs: HOUR },
  ];
  for (const each of kinds) {
    const ask = async (key: string, maxWaitMs: number): Promise<readonly boolean[]> => {
      const calls = [
        { cost: 3, maxWaitMs: 0 },
        { cost: 3, maxWaitMs },
        { cost: 1, maxWaitMs: 0 },
      ];
      const id = { limiter: each.kind, key };
      const { answers } = await store.take({ ...id, rule: each, calls });
      return answers.map(({ taken }) => taken);
    };
    const waits = await ask('a', Number.POSITIVE_INFINITY);
    assert(waits.join() === 'true,false,false', `${each.kind}: behind one that waits: ${waits}`);
    const leaves = await ask('b', 0);
    assert(leaves.join() === 'true,false,true', `${each.kind}: behind one that leaves: ${leaves}`);
  }
}

async function reservation({ store }: StoreUnderTest): Promise<void> {
  const bucket: StoreRule = { kind: 'gcra', limit: 10, windowMs: 1000, burst: 2 };
  const calls = new Array(40).fill({ cost: 1, maxWaitMs: Number.POSITIVE_INFINITY });
  const { answers } = await store.take({ ...KEY, rule: bucket, calls });
  const waits = answers.map((answer) => (answer.taken ? answer.waitMs : -answer.retryAfterMs));
  const expected = [0, 0, ...Array.from({ length: 10 }, (_, i) => 100 * (i + 1))];
  for (const [i, wait] of waits.entries()) {
    const due = expected[i] ?? -100 * (i - 1);
    assert(Math.abs(wait - due) < 0.01, `call ${i} waits ${wait} ms, and should ${due}`);
  }
}

/** All units that were taken are given back, in any order: it is as if nothing was taken. */
async function returned(test: StoreUnderTest, chance: Chance): Promise<void> {
  const { store } = test;
  const each = rule(chance);
  const calls = Array.from({ length: 12 }, () => ({ cost: 1, maxWaitMs: AHEAD_MS }));
  const { answers } = await store.take({ ...KEY, rule: each, calls });
  const receipts = answers.flatMap((answer) => (answer.taken ? [answer.receipt] : []));
  receipts.sort(() => chance.next() - 0.5);
  for (const receipt of receipts) await store.giveBack({ ...KEY, rule: each, cost: 1, receipt });
  const { remaining } = await store.take({ ...KEY, rule: each, calls: [] });
  assert(remaining === capacityOf(each), `${remaining} of ${capacityOf(each)} left`);
}

async function partlyReturned(test: StoreUnderTest): Promise<void> {
  const { store } = test;
  const kinds: StoreRule[] = [
    { kind: 'token-bucket', limit: 10, windowMs: HOUR, burst: 10 },
    { kind: 'sliding-window', limit: 10, windowMs: HOUR, segments: 2 },
    { kind: 'fixed-window', limit: 10, windowMs: HOUR },
  ];
  for (const each of kinds) {
    const request = { limiter: `part ${each.kind}`, key: 'k', rule: each };
    const take = async (cost: number): Promise<string> => {
      const [answer] = (await store.take({ ...request, calls: [{ cost, maxWaitMs: 0 }] })).answers;
      if (answer?.taken !== true) throw new Error(`${each.kind}: ${cost} units were refused`);
      return answer.receipt;
    };
    const expectLeft = async (expected: number, after: string): Promise<void> => {
      const { remaining } = await store.take({ ...request, calls: [] });
      assert(remaining === expected, `${each.kind}: ${remaining} left after ${after}`);
    };
    const first = await take(4);
    await store.giveBack({ ...request, cost: 3, receipt: first });
    await expectLeft(9, 'all but one of 4 units came back');
    // Longer than any window counts: what was taken then is no part of what is used now.
    await test.pass(2 * HOUR);
    await take(6);
    if (each.kind !== 'token-bucket') {
      await store.giveBack({ ...request, cost: 1, receipt: first });
      await expectLeft(4, 'a unit of a window that is over came back');
    }
  }
}

async function changed(test: StoreUnderTest): Promise<void> {
  const { store } = test;
  const kinds: StoreRule[] = [
    { kind: 'token-bucket', limit: 10, windowMs: HOUR, burst: 10 },
    { kind: 'sliding-window', limit: 10, windowMs: HOUR, segments: 2 },
    { kind: 'fixed-window', limit: 10, windowMs: HOUR },
  ];
  for (const each of kinds) {
    const request = { limiter: each.kind, key: 'k', rule: each };
    const left = async (): Promise<number> =>
      (await store.take({ ...request, calls: [] })).remaining;
    const expectLeft = async (expected: number, after: string): Promise<void> => {
      const found = await left();
      assert(found === expected, `${each.kind}: ${found} left after ${after}, not ${expected}`);
    };
    await store.change({ ...request, change: { kind: 'charge', units: 4 } });
    await expectLeft(6, 'a charge of 4');
    await store.change({ ...request, change: { kind: 'charge', units: -3 } });
    await expectLeft(9, 'a credit of 3');
    await store.change({ ...request, change: { kind: 'charge', units: 1e6 } });
    await expectLeft(0, 'a charge of a million');
    await store.change({ ...request, change: { kind: 'charge', units: -1e6 } });
    await expectLeft(10, 'a credit of a million');
    await store.change({ ...request, change: { kind: 'block', durationMs: 5000 } });
    const call = { cost: 1, maxWaitMs: Number.POSITIVE_INFINITY };
    const blocked = (await store.take({ ...request, calls: [call] })).answers[0]!;
    assert(
      !blocked.taken && Math.abs(blocked.retryAfterMs - 5000) < 50,
      `${each.kind}: not blocked`,
    );
    await test.pass(5000);
    assert((await store.take({ ...request, calls: [call] })).answers[0]!.taken, 'blocked too long');
    await store.change({ ...request, change: { kind: 'block', durationMs: HOUR } });
    await store.change({ ...request, change: { kind: 'reset' } });
    await expectLeft(10, 'a reset');
  }
}

/** Rules, blocks, charges, credits and resets in any order, and a clock that is set back. */
async function adjusted(test: StoreUnderTest, chance: Chance): Promise<void> {
  const { store } = test;
  let last = rule(chance);
  let blockedMs = 0;
  /** The longest that the block can last. What has passed since the last write is lost with a set-back clock. */
  let longestMs = 0;
  let wholeMs = 0;
  for (let step = 0; step < 40; step++) {
    const request = { ...KEY, rule: last };
    const what = chance.next();
    if (what < 0.2) {
      last = rule(chance);
    } else if (what < 0.4) {
      const ms = chance.of([-HOUR, 10, 5000, HOUR]);
      await test.pass(ms);
      blockedMs = Math.max(0, blockedMs - Math.max(0, ms));
      longestMs = ms < 0 ? wholeMs : Math.max(0, longestMs - ms);
    } else if (what < 0.5) {
      blockedMs = chance.of([0, 500, 20_000]);
      longestMs = blockedMs;
      wholeMs = blockedMs;
      await store.change({ ...request, change: { kind: 'block', durationMs: blockedMs } });
    } else if (what < 0.65) {
      const units = chance.of([-1000, -3, -0.5, 0.5, 2, 1000]);
      await store.change({ ...request, change: { kind: 'charge', units } });
    } else if (what < 0.7) {
      await store.change({ ...request, change: { kind: 'reset' } });
      blockedMs = 0;
      longestMs = 0;
      wholeMs = 0;
      const { remaining } = await store.take({ ...request, calls: [] });
      assert(remaining === capacityOf(last), `${remaining} units left after a reset`);
    }
    const cost = chance.int(1, capacityOf(last));
    const call = { cost, maxWaitMs: 0 };
    const { answers, remaining } = await store.take({ ...KEY, rule: last, calls: [call] });
    const answer = answers[0]!;
    assert(remaining <= capacityOf(last), `${remaining} units left`);
    if (answer.taken) {
      assert(blockedMs < 1, `a call passes ${blockedMs} ms before the end of a block`);
      continue;
    }
    const most = Math.max(recoveryOf(last) + AHEAD_MS, longestMs);
    assert(answer.retryAfterMs <= most + 1, `a wait of ${answer.retryAfterMs} ms, at most ${most}`);
    if (chance.next() < 0.7) continue;
    await test.pass(Math.ceil(answer.retryAfterMs));
    blockedMs = 0;
    longestMs = 0;
    const again = await store.take({ ...KEY, rule: last, calls: [call] });
    // A block says when it ends, and not what is left of the limit then.
    const due = again.answers[0]!;
    assert(
      due.taken || due.retryAfterMs <= recoveryOf(last) + AHEAD_MS + 1,
      'a refusal after a block',
    );
  }
}

/** The calls of one caller that wait in one process. */
interface Waiting {
  readonly caller: string;
  readonly weight: number;
  /** How many wait. */
  calls: number;
  /** How many are added, and how often, in milliseconds. Those that have passed are replaced, if it is 0. */
  readonly everyMs: number;
  /** When to ask again. */
  dueAt: number;
  passed: number;
  /** Time that calls have waited, one with another. */
  waitedMs: number;
}

const SHARING: readonly StoreRule[] = [
  { kind: 'token-bucket', limit: 50, windowMs: 1000, burst: 1 },
  { kind: 'sliding-window', limit: 50, windowMs: 1000, segments: 10 },
  { kind: 'fixed-window', limit: 50, windowMs: 1000 },
];

/** Lets processes ask one after another, as often as they are told to, for some seconds. */
async function compete(
  { store, pass }: StoreUnderTest,
  each: StoreRule,
  processes: readonly Waiting[],
  seconds: number,
): Promise<void> {
  for (let time = 0; time < 1000 * seconds; time += 10) {
    for (const process of processes) {
      const { caller, weight, everyMs } = process;
      if (everyMs > 0 && time % everyMs === 0) process.calls++;
      process.waitedMs += 10 * process.calls;
      if (time < process.dueAt || process.calls === 0) continue;
      const call = { cost: 1, maxWaitMs: Number.POSITIVE_INFINITY, caller, weight };
      const request = { limiter: each.kind, key: '', rule: each };
      const calls = new Array<typeof call>(process.calls).fill(call);
      const { answers } = await store.take({ ...request, calls });
      process.dueAt = time;
      for (const answer of answers) {
        if (!answer.taken) {
          process.dueAt = time + (answer.askAgainMs ?? answer.retryAfterMs);
          break;
        }
        process.passed++;
        process.waitedMs += answer.waitMs;
        if (everyMs > 0) process.calls--;
      }
    }
    await pass(10);
  }
}

async function shares(test: StoreUnderTest): Promise<void> {
  for (const each of SHARING) {
    const waiting = (caller: string, calls: number, weight: number, everyMs = 0): Waiting => ({
      ...{ caller, calls, weight, everyMs },
      ...{ dueAt: 0, passed: 0, waitedMs: 0 },
    });
    const greedy = [100, 100, 100].map((calls) => waiting('greedy', calls, 1));
    const heavy = waiting('heavy', 100, 3);
    const modest = ['m1', 'm2', 'm3'].map((caller) => waiting(caller, 0, 1, 500));
    const SECONDS = 20;
    await compete(test, each, [...greedy, heavy, ...modest], SECONDS);
    const had = greedy.reduce((sum, { passed }) => sum + passed, 0);
    let all = had + heavy.passed;
    for (const { caller, passed, calls, waitedMs } of modest) {
      all += passed;
      assert(calls <= 2, `${each.kind}: ${calls} calls of ${caller} wait at the end`);
      const meanMs = waitedMs / (passed + calls);
      assert(meanMs < 1000, `${each.kind}: calls of ${caller} wait ${meanMs} ms`);
    }
    assert(all > 0.85 * 50 * SECONDS, `${each.kind}: ${all} units of ${50 * SECONDS}`);
    const ratio = heavy.passed / had;
    assert(
      ratio > 2 && ratio < 4,
      `${each.kind}: ${ratio} times as much for three times the weight`,
    );
  }
}

async function alone({ store, pass }: StoreUnderTest): Promise<void> {
  for (const each of SHARING) {
    const request = { limiter: each.kind, key: '', rule: each };
    const ask = async (caller: string, maxWaitMs: number): Promise<number> => {
      const calls = new Array(60).fill({ cost: 1, maxWaitMs, caller, weight: 1 });
      const { answers } = await store.take({ ...request, calls });
      return answers.filter(({ taken }) => taken).length;
    };
    await ask('gone', Number.POSITIVE_INFINITY);
    await pass(HOUR);
    const waits = 'burst' in each ? each.limit : 0;
    const most = await ask('here', Number.POSITIVE_INFINITY);
    const whole = capacityOf(each) + waits;
    assert(most === whole, `${each.kind}: ${most} units of ${whole} for the only caller`);
  }
}

async function permits(test: StoreUnderTest, chance: Chance): Promise<void> {
  const { store } = test;
  const leaseMs = 10_000;
  let time = 0;
  const held = new Map<string, { cost: number; until: number }>();
  for (let step = 0; step < 40; step++) {
    const what = chance.next();
    for (const [id, { until }] of held) if (until <= time) held.delete(id);
    const leases = [...held.keys()];
    if (what < 0.2) {
      const ms = chance.of([100, 3000, 9000]);
      await test.pass(ms);
      time += ms;
    } else if (what < 0.25) {
      await store.takePermits({ ...KEY, calls: [], limit: 7, leaseMs });
      await test.pass(-HOUR);
      // When the store notices, it cannot know better: the leases last for their whole time again.
      await store.takePermits({ ...KEY, calls: [], limit: 7, leaseMs });
      for (const lease of held.values()) lease.until = time + leaseMs;
    } else if (what < 0.4 && leases.length > 0) {
      const some = leases.slice(0, 2);
      const lost = await store.renewPermits({ ...KEY, leases: some, leaseMs });
      assert(lost.length === 0, `lost ${lost.join()} before the time`);
      for (const id of some) held.get(id)!.until = time + leaseMs;
    } else if (what < 0.5 && leases.length > 0) {
      await store.returnPermits({ ...KEY, leases: leases.slice(0, 1), leaseMs });
      held.delete(leases[0]!);
    } else {
      const calls = Array.from({ length: chance.int(1, 3) }, (_, i) => ({
        lease: `${step}.${i}`,
        cost: chance.int(1, 3),
      }));
      const { granted } = await store.takePermits({ ...KEY, calls, limit: 7, leaseMs });
      for (const { lease, cost } of calls.slice(0, granted)) {
        held.set(lease, { cost, until: time + leaseMs });
      }
      let sum = 0;
      for (const { cost, until } of held.values()) if (until > time) sum += cost;
      assert(sum <= 7, `${sum} permits of 7`);
      const next = calls[granted];
      if (next !== undefined) assert(sum + next.cost > 7, `a refusal at ${sum} of 7`);
    }
  }
}

async function permitBatch(test: StoreUnderTest): Promise<void> {
  const { store } = test;
  const calls = [1, 2, 3, 1].map((cost, i) => ({ lease: `l${i}`, cost }));
  const request = { ...KEY, limit: 5, leaseMs: 60_000 };
  const first = await store.takePermits({ ...request, calls });
  assert(first.granted === 2 && first.inUse === 3, `granted ${first.granted}`);
  const lost = await store.renewPermits({ ...request, leases: ['l0', 'l1', 'l2'] });
  assert(lost.join() === 'l2', `lost ${lost.join()}`);
  await store.returnPermits({ ...request, leases: ['l0', 'l1', 'unknown'] });
  const none = await store.takePermits({ ...request, calls: [] });
  assert(none.inUse === 0 && none.granted === 0, `${none.inUse} in use`);
}

/**
 * Limits that are asked together either all take or none, by what each alone says is left. A store without
 * `takeAll` has nothing to keep.
 */
async function joint({ store, pass }: StoreUnderTest, chance: Chance): Promise<void> {
  if (store.takeAll === undefined) return;
  // What is left of a rule that a call of 3 can never fit says nothing about it.
  const one = (): StoreRule => {
    const each = rule(chance);
    return capacityOf(each) < 3 ? one() : each;
  };
  const rules = [one(), one()];
  const limit = 5;
  const leaseMs = HOUR;
  const keyOf = (i: number) => ({ limiter: `law ${i}`, key: 'k' });
  const leftOf = async (): Promise<readonly number[]> => {
    const units: number[] = [];
    for (const [i, each] of rules.entries()) {
      units.push((await store.take({ ...keyOf(i), rule: each, calls: [] })).remaining);
    }
    const { inUse } = await store.takePermits({ ...keyOf(2), calls: [], limit, leaseMs });
    return [...units, limit - inUse];
  };
  const held: string[] = [];
  for (let step = 0; step < 40; step++) {
    const what = chance.next();
    if (what < 0.15) {
      await pass(chance.of([10, 1000, 30_000]));
    } else if (what < 0.25) {
      // The limit of one changes while it is in use.
      rules[chance.int(0, 1)] = one();
    } else if (what < 0.35) {
      const i = chance.int(0, 1);
      const change = chance.of([
        { kind: 'charge', units: 3 },
        { kind: 'charge', units: -3 },
        { kind: 'block', durationMs: 500 },
      ] as const);
      await store.change({ ...keyOf(i), rule: rules[i]!, change });
    } else if (what < 0.45) {
      await store.returnPermits({ ...keyOf(2), leases: held.splice(0, 1), leaseMs });
    } else {
      const costs = [chance.int(1, 3), chance.int(1, 3), chance.int(1, 2)];
      const maxWaitMs = chance.of([0, HOUR]);
      const before = await leftOf();
      const result = await store.takeAll({
        rates: rules.map((each, i) => {
          return { ...keyOf(i), rule: each, calls: [{ cost: costs[i]!, maxWaitMs }] };
        }),
        permits: [{ ...keyOf(2), limit, leaseMs, calls: [{ lease: `${step}`, cost: costs[2]! }] }],
      });
      assert(result !== undefined, 'limits that cannot be asked in one step');
      const { taken, rates, permits } = result!;
      const lacking = before.map((units, i) => units < costs[i]!);
      assert(taken !== lacking.includes(true), `taken: ${taken}, of ${before}, for ${costs}`);
      for (const [i, { answers }] of rates.entries()) {
        const answer = answers[0]!;
        assert(answer.taken === taken, 'a limit answers otherwise than all');
        if (answer.taken) assert(answer.waitMs === 0, `a place ${answer.waitMs} ms ahead`);
        else assert(answer.retryAfterMs > 0 === lacking[i], `a wait of ${answer.retryAfterMs} ms`);
      }
      assert(permits[0]!.granted === (taken ? 1 : 0), 'permits are granted otherwise than units');
      if (taken) held.push(`${step}`);
      const after = await leftOf();
      const expected = before.map((units, i) => (taken ? units - costs[i]! : units));
      assert(after.join() === expected.join(), `${after} left, and should be ${expected}`);
      const states = [...rates.map((each) => each.remaining), limit - permits[0]!.inUse];
      assert(states.join() === after.join(), `${states} in the answer, ${after} left`);
    }
  }
}

async function counted(test: StoreUnderTest): Promise<void> {
  const announce = (node: string): Promise<number> =>
    test.store.announce({ limiter: 'law', node, ttlMs: 10_000 });
  assert((await announce('a')) === 1, 'one process is one');
  assert((await announce('b')) === 2, 'two processes are two');
  await test.pass(6000);
  assert((await announce('a')) === 2, 'a registration is renewed');
  await test.pass(6000);
  assert((await announce('a')) === 1, 'a registration expires');
  await announce('c');
  await test.pass(-HOUR);
  await announce('a');
  await test.pass(11_000);
  assert((await announce('a')) === 1, 'a registration expires after the clock was set back');
}

function assert(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

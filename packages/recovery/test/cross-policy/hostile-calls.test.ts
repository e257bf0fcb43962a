import { getEventListeners } from 'node:events';
import { type CallContext, type CallOptions, isRefusal, type Outcome } from '@temper/core';
import { seededRandom } from '@temper/testkit';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { PipelineOrderError, pipeline } from '../../src/index.ts';
import { KIND_NAMES, KINDS, type Kind } from './catalogue.ts';

// Pipelines by chance, with calls at the same time whose operations, listeners, signals and options misbehave in
// every way that we know: each call settles once, and nothing is left.

const unhandled = vi.fn();
beforeAll(() => {
  process.on('unhandledRejection', unhandled);
  process.on('uncaughtException', unhandled);
});
afterAll(async () => {
  await settle();
  process.off('unhandledRejection', unhandled);
  process.off('uncaughtException', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

const refuse = (): never => {
  throw new Error('trap');
};
const TRAPS = ['get', 'has', 'set', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'];
const trapped = (target: object): object =>
  new Proxy(target, Object.fromEntries(TRAPS.map((trap) => [trap, refuse])));
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
/** An error that throws wherever somebody looks. */
function unreadable(): Error {
  const names = [
    'name',
    'message',
    'stack',
    'cause',
    'code',
    'status',
    'response',
    'headers',
    'body',
  ];
  return Object.defineProperties(
    new Error('unreadable'),
    Object.fromEntries(names.map((name) => [name, { get: refuse }])),
  );
}
const circular = (): Error => {
  const error = new Error('circular');
  error.cause = error;
  return error;
};

const THROWABLES: readonly (() => unknown)[] = [
  ...[undefined, null, 0, '', 'text', Number.NaN, 1n, Symbol('s'), refuse, []].map(
    (one) => () => one,
  ),
  () => Object.freeze(Object.assign(new Error('frozen'), { code: 'ECONNRESET' })),
  unreadable,
  circular,
  revoked,
  () => trapped(new Error('trapped')),
  () => Object.create(null),
  () => new DOMException('x', 'AbortError'),
  () => new DOMException('x', 'TimeoutError'),
  () => Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
  () => Object.assign(new Error(), { message: Symbol('m'), stack: 5 }),
  () => new Response('x', { status: 503 }),
];
const VALUES: readonly (() => unknown)[] = [
  ...[undefined, null, 1, () => 'a function', [1], Symbol('v'), 10n].map((one) => () => one),
  () => Object.freeze({ a: 1 }),
  () => new ReadableStream({ start: (stream) => stream.close() }),
  () => new Response('body'),
  () => (async function* () {})(),
  () => ({ [Symbol.asyncIterator]: refuse }),
  () => ({ body: { cancel: refuse } }),
  () => Object.defineProperty({}, 'body', { get: refuse }),
  () => new Error('an error as a value'),
  revoked, // which no promise can be fulfilled with
];

type Chance = () => number;
const pick = <T>(chance: Chance, of: readonly T[]): T => of[Math.floor(chance() * of.length)] as T;

const EVENTS = [
  'StateChange',
  'Retry',
  'GiveUp',
  'Timeout',
  'Hedge',
  'Fallback',
  'Stale',
  'Reject',
  'LimitChange',
];
/** Policies have some of these. */
type Any = Disposable & {
  execute(operation: () => unknown, options?: CallOptions): Promise<unknown>;
  stats(): { inFlight?: number; queued?: number };
  reset?(): void;
  clear?(): void;
} & Record<string, ((listener: () => unknown) => Disposable) | undefined>;

function compose(chance: Chance, clock: ManualClock) {
  const kinds = new Set<Kind>();
  for (let i = 1 + Math.floor(chance() * 5); i > 0; i--) kinds.add(pick(chance, KIND_NAMES));
  const policies = [...kinds].map((kind) => KINDS[kind](clock));
  try {
    const twin = pipeline({ clock }, ...policies.filter(() => chance() < 0.7));
    return {
      kinds,
      policies: policies as unknown as Any[],
      twin,
      policy: pipeline({ clock }, ...policies),
    };
  } catch (error) {
    if (error instanceof PipelineOrderError) return undefined;
    throw error;
  }
}

async function tryOut(seed: number): Promise<void> {
  const chance = seededRandom(seed);
  const clock = new ManualClock();
  const made = compose(chance, clock);
  if (made === undefined) return;
  const { kinds, policies, policy, twin } = made;
  const what = `seed ${seed}: ${[...kinds].join(' > ')}`;
  const disposeAll = (): void => policies.forEach((each) => void each[Symbol.dispose]());
  let left = 20; // events that lead to others, so that they come to an end
  const listen = (): unknown => {
    if (left-- <= 0) return undefined;
    return pick<() => unknown>(chance, [
      () => {
        throw pick(chance, THROWABLES)();
      },
      () => Promise.reject(pick(chance, THROWABLES)()),
      () => Object.defineProperty({}, 'then', { get: refuse }),
      () => policy.tryExecute(() => 1, { key: 'k' }),
      () => policies.map((each) => [each.stats(), each.reset?.(), each.clear?.()]),
      disposeAll,
    ])();
  };
  for (const each of policies) for (const event of EVENTS) each[`on${event}`]?.(listen);
  const end = (): unknown => {
    if (chance() < 0.5) return pick(chance, VALUES)();
    throw pick(chance, THROWABLES)();
  };
  const operations: readonly ((call: CallContext) => unknown)[] = [
    end,
    async () => end(),
    () => clock.sleep(chance() * 300).then(end),
    ({ signal }) => clock.sleep(chance() * 300, signal).then(end),
    (parent) => policy.tryExecute(end, { parent }),
    ({ signal }) => twin.tryExecute(end, { signal, key: 'k' }),
    () => disposeAll(),
    () => Object.assign(Promise.resolve(1), { constructor: undefined }),
  ];
  const signals: AbortSignal[] = [];
  const outcomes: Outcome<unknown>[] = [];
  for (let n = 0; n < 8; n++) {
    const controller = new AbortController();
    signals.push(controller.signal);
    const abort = (): void => controller.abort(pick(chance, THROWABLES)());
    const when = chance();
    if (when < 0.1) abort();
    else if (when < 0.6) clock.schedule(abort, chance() * 250);
    const options: CallOptions = {
      signal: chance() < 0.5 ? AbortSignal.any([controller.signal]) : controller.signal,
      key: pick(chance, ['k', 'toString', '__proto__']),
      cost: pick(chance, [1, 2]),
      ...(chance() < 0.5 ? { timeoutMs: pick(chance, [1, 50, 150, 1e9]) } : {}),
    };
    const given = pick(chance, [options, Object.freeze(options), new Proxy(options, {})]);
    void policy
      .tryExecute(pick(chance, operations), given)
      .then((outcome) => outcomes.push(outcome));
    await clock.advance(chance() * 60);
  }
  await clock.advance(3_600_000);
  await settle();
  expect([what, outcomes.length]).toEqual([what, 8]);
  for (const outcome of outcomes) if (!outcome.ok) isRefusal(outcome.error); // never throws
  expect([what, clock.pendingRefed]).toEqual([what, 0]);
  expect([what, ...signals.map((signal) => getEventListeners(signal, 'abort').length)]).toEqual([
    what,
    ...signals.map(() => 0),
  ]);
  for (const each of policies) {
    const { inFlight = 0, queued = 0 } = each.stats();
    expect([what, inFlight, queued]).toEqual([what, 0, 0]);
  }
  const next = await clock.runUntil(policy.tryExecute(() => 'next', { key: 'another' }));
  expect([what, next.ok || isRefusal(next.error)]).toEqual([what, true]);
}

it.each([1, 2, 3, 4])(
  'a hundred pipelines settle every call once, from seed %d00',
  async (hundred) => {
    for (let i = 0; i < 100; i++) await tryOut(hundred * 100 + i);
  },
);

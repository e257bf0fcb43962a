import type { CallContext, Clock, Policy } from '@temper/core';
import { concurrency } from '@temper/ratelimit';
import { timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import { describe, expect, it } from 'vitest';
import { KIND_NAMES, type Kind, type KindName, kindOf, type Making } from './kinds.ts';
import { STATES } from './reached.ts';
import { drawScenario, run, type Scenario } from './scenario.ts';
import { isSame, search, smallestOf } from './search.ts';

/** Other seeds than those which `pnpm simulate` begins with. */
const FROM = 1_000_000;
const SEEDS = 200;

it(`holds safety and liveness in ${SEEDS} random pipelines, and reaches every state`, async () => {
  const failures: string[] = [];
  const tally = await search({
    from: FROM,
    seeds: SEEDS,
    onFailure: ({ problems, smallest }) =>
      failures.push(
        `${problems.join('; ')}: pnpm simulate --scenario '${JSON.stringify(smallest)}'`,
      ),
  });
  expect(failures).toEqual([]);
  expect(tally.failures).toBe(0);
  for (const kind of KIND_NAMES) expect([kind, tally.kinds[kind]]).not.toEqual([kind, 0]);
  for (const state of STATES) expect([state, tally.reached[state] ?? 0]).not.toEqual([state, 0]);
}, 120_000);

const calm: Omit<Scenario, 'layers'> = {
  ...drawScenario(1),
  nested: true,
  perSecond: 8,
  arrivals: 'even',
  keys: 1,
  tight: false,
  mostCost: 1,
  priorities: false,
  serviceMs: 30,
  abortShare: 0,
  errorRate: 0,
  loss: 0,
  duplication: 0,
  foreignPromises: 0,
  throwing: 0,
  clockStepMs: 0,
  outage: { kind: 'hang', startMs: 1000, durationMs: 5000 },
  afterMs: 15_000,
};

/** The kinds with one of another making. */
const withFault =
  (faulty: KindName, make: Kind['make']) =>
  (name: KindName): Kind =>
    name === faulty ? { ...kindOf(name), make } : kindOf(name);

/** A limit of concurrent calls whose queue is a stack. */
function lastComeFirstServed(clock: Clock, limit: number): Policy {
  const policy = concurrency({ clock, limit });
  const { execute } = policy;
  const waiting: (() => void)[] = [];
  let running = 0;
  const unfair: typeof execute = async (operation, options) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return (await execute.call(policy, operation as never, options)) as never;
    } finally {
      running--;
      waiting.pop()?.();
    }
  };
  return Object.assign(policy, { execute: unfair });
}

describe('a fault that is planted is found', () => {
  const layers = (kind: KindName, options: object) => [{ kind, options }];

  it.each<[string, KindName, object, Kind['make'], RegExp]>([
    [
      'a limit that lets two more through',
      'concurrency',
      { limit: 6 },
      ({ clock }) => concurrency({ clock, limit: 8 }),
      /units at the same time: 8, of at most 6/,
    ],
    [
      'a retry with an attempt more',
      'retry',
      { maxAttempts: 2, attemptTimeoutMs: 300 },
      ({ clock, random }) => retry({ clock, random, maxAttempts: 3, attemptTimeoutMs: 300 }),
      /attempts of a call: 3, of at most 2/,
    ],
    [
      'a policy that heeds no deadline',
      'timeout',
      { timeoutMs: 500 },
      ({ clock }) => {
        const policy = timeout({ clock, timeoutMs: 500 });
        const execute: typeof policy.execute = async (operation) =>
          operation({ signal: new AbortController().signal } as never);
        return Object.assign(policy, { execute });
      },
      /have not ended|ended after/,
    ],
    [
      'a limit that calls twice',
      'concurrency',
      { limit: 6 },
      ({ clock }) => {
        const policy = concurrency({ clock, limit: 6 });
        const { execute } = policy;
        const twice: typeof execute = (operation, options) => {
          const both = async (call: CallContext) => {
            await operation(call);
            return operation(call);
          };
          return execute.call(policy, both as never, options) as never;
        };
        return Object.assign(policy, { execute: twice });
      },
      /let 2 calls through for one/,
    ],
    [
      'a policy that leaves a timer',
      'timeout',
      { timeoutMs: 500 },
      ({ clock }) => {
        clock.schedule(() => {}, 1e12);
        return timeout({ clock, timeoutMs: 500 });
      },
      /1 timers are left/,
    ],
    [
      'a circuit that never closes',
      'breaker',
      {},
      (making: Making) => kindOf('breaker').make(making, { openDurationMs: 3_600_000 } as never),
      /goodput is 0.00 of \d+ calls/,
    ],
    [
      'a circuit that lets calls through while it is open',
      'breaker',
      {},
      (making: Making) => {
        const policy = kindOf('breaker').make(making, {} as never);
        const { execute } = policy;
        const always: typeof policy.execute = (operation, options) =>
          (policy as unknown as { state: string }).state === 'open'
            ? Promise.resolve(operation({ cost: 1 } as never) as never)
            : (execute.call(policy, operation, options) as never);
        return Object.assign(policy, { execute: always });
      },
      /a call was let through while open/,
    ],
    [
      'a circuit that lets more trials through at the same time',
      'breaker',
      { openDurationMs: 500 },
      (making: Making) =>
        kindOf('breaker').make(making, { openDurationMs: 500, halfOpenMaxCalls: 3 } as never),
      /trials at the same time: [23], of at most 1/,
    ],
    [
      'a retry that earns its retries without successes',
      'retryBudget',
      { ratio: 0, burst: 1 },
      ({ clock, random }) => retry({ clock, random, attemptTimeoutMs: 300 }),
      /retries that rescued no call: \d+, of at most 1/,
    ],
    [
      'a limit that serves those first that have come last',
      'concurrency',
      { limit: 3 },
      ({ clock }) => lastComeFirstServed(clock, 3),
      /\d+ calls were overtaken while they waited/,
    ],
  ])('%s', async (_, kind, options, make, problem) => {
    const scenario = { ...calm, layers: layers(kind, options) };
    const sound = await run({ ...scenario, afterMs: 75_000 });
    expect(sound.problems).toEqual([]);
    const { problems } = await run(scenario, withFault(kind, make));
    expect(problems.join('; ')).toMatch(problem);
  });

  it('a policy that draws from chance of its own has another trace', async () => {
    let draws = 0;
    const find = withFault('chaos', (making: Making) =>
      kindOf('chaos').make({ ...making, random: () => (draws++ % 7) / 7 }, {
        enabled: true,
        latency: { rate: 0.5, delayMs: 7 },
      } as never),
    );
    const scenario = { ...calm, layers: layers('chaos', {}) };
    expect(isSame(await run(scenario, find), await run(scenario, find))).toBe(false);
    expect(isSame(await run(scenario), await run(scenario))).toBe(true);
  });
});

it('makes a scenario that fails smaller', async () => {
  const scenario: Scenario = {
    ...calm,
    layers: [
      { kind: 'retry', options: {} },
      { kind: 'breaker', options: { openDurationMs: 3_600_000 } },
      { kind: 'timeout', options: { timeoutMs: 500 } },
    ],
    errorRate: 0.01,
    throwing: 0.5,
  };
  const { problems } = await run(scenario);
  expect(problems[0]).toMatch(/goodput is/);
  const smallest = await smallestOf(scenario, problems);
  expect(smallest.layers.map(({ kind }) => kind)).toContain('breaker');
  expect(smallest.layers.length).toBeLessThan(3);
  expect(smallest).toMatchObject({ errorRate: 0, throwing: 0 });
});

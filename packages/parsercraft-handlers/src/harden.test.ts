import { auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import { healthMonitor } from '@temper/health';
import { tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { MemoryRateLimitStore, sharedRateLimit } from '@temper/ratelimit/shared';
import { ManualClock, seededRandom } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type AnyOperation,
  type Guarded,
  type HardenOptions,
  harden,
  operation,
  type PortContext,
} from './index.ts';

const fail =
  (fields: object = {}, message = 'failed') =>
  (): never => {
    throw Object.assign(new Error(message), fields);
  };
const down = fail({ code: 'ECONNREFUSED' }, 'down');
const code = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'ok',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

describe('an operation without guards', () => {
  it('runs, is audited and times out after 5 s', async () => {
    const clock = new ManualClock();
    const kit = harden({
      name: 'bare',
      clock,
      operations: { add: { run: (_, a: number, b: number) => a + b }, hang: { run: forever } },
    });
    expect(await kit.operations.add(1, 2)).toEqual({ value: 3 });
    expect(await clock.runUntil(code(kit.operations.hang()))).toBe('DEADLINE_EXCEEDED');
    expect(await kit.auditLog()).toMatchObject([
      { action: 'add', resource: 'add', status: 'success' },
      { action: 'hang', status: 'failure', durationMs: 5000 },
    ]);
    expect(kit.policies).toEqual({
      breakers: {},
      limiters: {},
      bulkheads: {},
      shares: {},
      retries: {},
    });
  });
});

const forever = (): Promise<never> => new Promise(() => {});

/** One guard each, and what an operation then ends with when it is called over and over. */
const GUARDS: [keyof AnyOperation, Partial<AnyOperation>, () => unknown, unknown[]][] = [
  ['limiter', { limiter: { limit: 2, burst: 2 } }, () => 1, ['ok', 'ok', 'RATE_LIMIT_EXCEEDED']],
  [
    'breaker',
    { breaker: { failureThreshold: 2 } },
    down,
    [...'ab'].map(() => 'ECONNREFUSED').concat('CIRCUIT_OPEN'),
  ],
  ['retry', { retry: { maxAttempts: 3, initialDelayMs: 10 } }, twice(), ['ok', 'ok', 'ok']],
  ['timeoutMs', { timeoutMs: 30 }, forever, Array(3).fill('DEADLINE_EXCEEDED')],
  ['attemptTimeoutMs', { attemptTimeoutMs: 20 }, forever, Array(3).fill('OPERATION_TIMEOUT')],
  ['degrade', { degrade: () => ({ value: 1, by: 'guess' }) }, down, ['ok', 'ok', 'ok']],
  [
    'isFailure',
    { isFailure: (v) => v === 0, errorOf: () => fail({ code: 'ZERO' }) },
    () => 0,
    Array(3).fill('errorOf'),
  ],
];

/** Fails the first two times of each three. */
function twice(): () => number {
  let asked = 0;
  return () => (++asked % 3 === 0 ? 1 : down());
}

describe('a single guard', () => {
  it.each(GUARDS)('%s works alone', async (name, guard, run, ends) => {
    const clock = new ManualClock();
    const errorOf = () => Object.assign(new Error('zero'), { code: 'errorOf' });
    const own = name === 'isFailure' ? { ...guard, errorOf } : guard;
    const kit = harden({ name: 'one', clock, operations: { work: { run, ...own } } });
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push(await clock.runUntil(code(kit.operations.work())));
    expect(seen).toEqual(ends);
  });

  it('bulkhead works alone', async () => {
    const clock = new ManualClock();
    let most = 0;
    let now = 0;
    const kit = harden({
      name: 'one',
      clock,
      operations: {
        work: {
          run: async () => {
            most = Math.max(most, ++now);
            await clock.sleep(10);
            now--;
          },
          bulkhead: { limit: 2, maxQueue: 3 },
        },
      },
    });
    const calls = Array.from({ length: 6 }, () => code(kit.operations.work()));
    expect(await clock.runUntil(Promise.all(calls))).toEqual([
      ...Array(5).fill('ok'),
      'RATE_LIMIT_EXCEEDED',
    ]);
    expect(most).toBe(2);
  });

  it('remember gives the last real answer, with its age, to its own key', async () => {
    const clock = new ManualClock();
    let run: (id: string) => string = (id) => `new ${id}`;
    const kit = harden({
      name: 'one',
      clock,
      operations: {
        read: operation({ run: (_, id: string) => run(id), remember: { id: (id) => id } }),
      },
    });
    const asAnn = kit.operations.read.with({ key: 'ann' });
    await asAnn('a');
    await clock.advance(500);
    run = down;
    expect(await asAnn('a')).toMatchObject({
      value: 'new a',
      degraded: { by: 'stale', ageMs: 500, error: { message: 'down' } },
    });
    expect(await code(asAnn('b'))).toBe('ECONNREFUSED');
    expect(await code(kit.operations.read('a'))).toBe('ECONNREFUSED');
  });
});

describe('an error table', () => {
  const rows = [
    { kind: 'broken-syntax', category: 'validation', severity: 'low', fault: 'caller' },
    {
      kind: 'busy',
      category: 'resource',
      severity: 'medium',
      transient: true,
      match: (error: unknown) => (error as { exitCode?: number }).exitCode === 75,
    },
    { kind: 'other', category: 'unknown', severity: 'critical' },
  ] as const;
  const made = (run: (context: PortContext) => unknown) => {
    const clock = new ManualClock();
    const guards = {
      breaker: { failureThreshold: 3 },
      retry: { maxAttempts: 2, initialDelayMs: 1 },
    };
    let calls = 0;
    const counted = (context: PortContext): unknown => {
      calls++;
      return run(context);
    };
    const kit = harden({
      name: 'tabled',
      clock,
      operations: { work: { run: counted, errors: rows, ...guards } },
    });
    const work = () => clock.runUntil(code(kit.operations.work()));
    return { kit, work, calls: () => calls };
  };

  it('tells listeners which errors are the caller’s own', async () => {
    const ends = [fail({ kind: 'broken-syntax' }), fail(), () => 1];
    const { kit, work } = made(() => ends.shift()?.());
    const told: unknown[] = [];
    using _ = kit.onOperation(({ status, isCallersFault }) => told.push([status, isCallersFault]));
    for (let i = 0; i < 3; i++) await work();
    expect(told).toEqual([
      ['failure', true],
      ['failure', undefined],
      ['success', undefined],
    ]);
  });

  it.each([
    [
      'of the caller opens no circuit and is not retried',
      fail({ kind: 'broken-syntax' }),
      'validation/low',
      4,
      'closed',
    ],
    [
      'that match selects is retried and counts',
      fail({ exitCode: 75 }),
      'resource/medium',
      3,
      'open',
    ],
    [
      'of a cause counts too',
      fail({ cause: Object.assign(new Error(), { kind: 'busy' }) }),
      'resource/medium',
      3,
      'open',
    ],
    ['without a row is as other', fail(), 'unknown/critical', 3, 'open'],
    [
      'that is a TypeError is internal',
      () => (undefined as never as Error).message,
      'internal/critical',
      3,
      'open',
    ],
    [
      'that is a stack overflow is internal',
      function overflow(): unknown {
        return [overflow()];
      },
      'internal/critical',
      3,
      'open',
    ],
  ] as const)('says what an error counts as: one %s', async (_, run, verdict, calls, state) => {
    const it = made(run as () => unknown);
    for (let i = 0; i < 4; i++) await it.work();
    const [first] = it.kit.errors();
    expect(`${first?.category}/${first?.severity}`).toBe(verdict);
    expect(it.calls()).toBe(calls);
    expect(it.kit.errorStats().breakers.work?.state).toBe(state);
  });

  it('of nobody leaves errors as core classifies them', async () => {
    const kit = harden({ name: 'bare', operations: { work: { run: down } } });
    await code(kit.operations.work());
    expect(kit.errorStats()).toMatchObject({ total: 1, byCategory: { network: 1 } });
  });
});

describe('plans', () => {
  it('give some calls other times and retries', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const kit = harden({
      name: 'server',
      clock,
      random: () => 0.5,
      operations: {
        request: operation({
          run: (_, __: string): unknown => {
            asked++;
            return forever();
          },
          timeoutMs: 5000,
          breaker: { failureThreshold: 100 },
          plans: {
            'textDocument/completion': { timeoutMs: 300 },
            'textDocument/hover': {
              attemptTimeoutMs: 100,
              retry: { maxAttempts: 2, initialDelayMs: 50, jitter: 'none' },
            },
          },
          planOf: (method) => method,
        }),
      },
    });
    const took = async (method: string): Promise<unknown[]> => {
      const start = clock.monotonic();
      asked = 0;
      const end = await clock.runUntil(code(kit.operations.request(method)));
      return [end, clock.monotonic() - start, asked];
    };
    expect(await took('textDocument/completion')).toEqual(['DEADLINE_EXCEEDED', 300, 1]);
    expect(await took('textDocument/hover')).toEqual(['OPERATION_TIMEOUT', 250, 2]);
    expect(await took('textDocument/definition')).toEqual(['DEADLINE_EXCEEDED', 5000, 1]);
    expect(Object.keys(kit.policies.retries)).toEqual(['request.textDocument/hover']);
    expect(kit.errorStats().breakers.request?.calls.failure).toBe(4); // one breaker for all
  });
});

describe('shared policies', () => {
  it('are shared by the operations that name them', async () => {
    const kit = harden({
      name: 'shared',
      limiters: { all: { limit: 3, burst: 3 } },
      breakers: { backend: { failureThreshold: 2 } },
      operations: {
        a: { run: () => 1, limiter: 'all', breaker: 'backend' },
        b: { run: down, limiter: 'all', breaker: 'backend' },
      },
    });
    await kit.operations.a();
    const ends = [code(kit.operations.b()), code(kit.operations.b())];
    expect(await Promise.all(ends)).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    expect(kit.policies.breakers.backend?.state).toBe('open');
    expect(await code(kit.operations.a())).toBe('RATE_LIMIT_EXCEEDED');
  });

  it('limit several processes over a store', async () => {
    const clock = new ManualClock();
    const store = new MemoryRateLimitStore(clock);
    const process = () => {
      const limiter = sharedRateLimit({
        name: 'lint',
        limit: 3,
        burst: 3,
        store,
        clock,
        maxQueue: 0,
      });
      const kit = harden({ name: 'p', clock, operations: { lint: { run: () => 1, limiter } } });
      return { lint: () => clock.runUntil(code(kit.operations.lint())), limiter };
    };
    const [one, two] = [process(), process()];
    const ends = [await one.lint(), await two.lint(), await one.lint(), await two.lint()];
    expect(ends).toEqual(['ok', 'ok', 'ok', 'RATE_LIMIT_EXCEEDED']);
    for (const { limiter } of [one, two]) limiter[Symbol.dispose]();
  });

  it('open the circuits of several processes over a store', async () => {
    const clock = new ManualClock();
    const store = new MemoryBreakerStore(clock);
    const process = (node: string, run: () => unknown) => {
      const shared = sharedCircuit({ store, node, minimumNodes: 1, quorum: 0.4 });
      const breaker = { failureThreshold: 2, shared };
      return harden({ name: node, prefix: '', clock, operations: { fetch: { run, breaker } } });
    };
    const [ill, well] = [process('a', down), process('b', () => 1)];
    await code(well.operations.fetch());
    for (let i = 0; i < 2; i++) await code(ill.operations.fetch());
    await clock.advance(2000);
    await code(well.operations.fetch());
    await clock.advance(2000);
    expect(await code(well.operations.fetch())).toBe('CIRCUIT_OPEN');
    await Promise.all([ill.shutdown(), well.shutdown()]);
  });

  it('may be an adaptive limit in the place of the bulkhead', async () => {
    const clock = new ManualClock();
    const bulkhead = adaptiveConcurrency({ name: 'lint', initialLimit: 2, maxQueue: 10, clock });
    const kit = harden({
      name: 'adaptive',
      clock,
      operations: {
        lint: { run: () => clock.sleep(1000), bulkhead, breaker: { failureThreshold: 1 } },
      },
    });
    const calls = Array.from({ length: 20 }, () => code(kit.operations.lint()));
    const ends = await clock.runUntil(Promise.all(calls));
    // Two at a time for five seconds; whoever waited too long, and whom it refused, is not held against it.
    expect(ends.filter((end) => end === 'ok').length).toBeGreaterThanOrEqual(8);
    expect(ends.filter((end) => end === 'CIRCUIT_OPEN')).toHaveLength(0);
    expect(kit.errorStats().breakers.lint).toMatchObject({
      state: 'closed',
      calls: { failure: 0 },
    });
    expect(kit.errorStats().bulkheads.lint).toMatchObject({ inFlight: 0 });
    await kit.shutdown();
    expect(await code(bulkhead.execute(() => 1))).toBe('ok'); // it belongs to whoever made it
  });

  it('may be policies of one’s own in every place', async () => {
    const clock = new ManualClock();
    const limiter = tokenBucket({ name: 'mine', limit: 2, burst: 2, maxQueue: 0, clock });
    const breaker = circuitBreaker({ name: 'mine', failureThreshold: 1, clock });
    const kit = harden({
      name: 'own',
      clock,
      operations: { lint: { run: down, limiter, breaker } },
    });
    const ends = [];
    for (let i = 0; i < 3; i++) ends.push(await code(kit.operations.lint()));
    expect(ends).toEqual(['ECONNREFUSED', 'CIRCUIT_OPEN', 'RATE_LIMIT_EXCEEDED']);
    expect(kit.policies).toMatchObject({
      limiters: { lint: limiter },
      breakers: { lint: breaker },
    });
  });
});

describe('several instances in one process', () => {
  it('have their own metrics, errors, audit logs and history', async () => {
    const telemetry = new InMemoryTelemetry();
    const make = (name: string) =>
      harden({
        name,
        operations: {
          lint: { run: down, limiter: { limit: 10, burst: 10 }, breaker: { failureThreshold: 5 } },
        },
      });
    const kits = [make('east'), make('west'), make('north')] as const;
    const calls = { east: 3, west: 7, north: 1 };
    for (const kit of kits) {
      for (let i = 0; i < calls[kit.name as keyof typeof calls]; i++)
        await code(kit.operations.lint());
    }
    const count = (metric: string, attributes: Record<string, string>) =>
      telemetry.value(metric, attributes);
    for (const kit of kits) {
      const { name } = kit;
      const made = calls[name as keyof typeof calls];
      const policy = { 'temper.policy.name': `${name}.lint` };
      expect(
        await count('temper.ratelimit.requests', { ...policy, 'temper.outcome': 'allowed' }),
      ).toBe(made);
      expect(await count('temper.breaker.calls', { ...policy, 'temper.outcome': 'failure' })).toBe(
        Math.min(made, 5),
      );
      expect(
        await count('temper.errors', {
          'temper.policy.name': name,
          'temper.error.category': 'network',
          'temper.error.severity': kit.errors()[0]?.severity ?? '',
        }),
      ).toBe(Math.min(made, 5));
      expect(kit.errorStats()).toMatchObject({
        total: made,
        breakers: {
          lint: { calls: { failure: Math.min(made, 5), rejected: Math.max(0, made - 5) } },
        },
        limiters: { lint: { allowed: made } },
      });
      expect(await kit.auditLog()).toHaveLength(made);
      expect(kit.recoveries.history()).toHaveLength(made);
    }
    await telemetry.close();
  });
});

describe('recoveries', () => {
  it('are results, with a history of every operation', async () => {
    const clock = new ManualClock(1000);
    let nth = 0;
    const kit = harden({
      name: 'results',
      clock,
      random: seededRandom(1),
      historySize: 4,
      operations: {
        fetch: { run: () => (++nth === 1 ? down() : nth), retry: { initialDelayMs: 10 } },
        lint: {
          run: fail({}, 'broken'),
          degrade: () => ({ value: 'partial', by: 'guess' }),
          breaker: {},
        },
        limited: { run: () => 1, limiter: { limit: 1, burst: 1 } },
      },
    });
    const { execute, history } = kit.recoveries;
    const byName = execute as (name: string) => Promise<unknown>;
    expect(await clock.runUntil(execute('fetch'))).toEqual({ ok: true, value: 2 });
    expect(await execute('lint')).toMatchObject({
      ok: false,
      error: { message: 'broken' },
      degraded: 'partial',
    });
    await kit.operations.limited();
    expect(await execute('limited')).toMatchObject({
      ok: false,
      error: { code: 'RATE_LIMIT_EXCEEDED' },
    });
    expect(history()).toMatchObject([
      {
        sequence: 1,
        operation: 'fetch',
        strategy: 'retry',
        outcome: 'recovered',
        recoveredBy: 'retry',
        attempts: 2,
        startedAt: 1000,
      },
      {
        operation: 'lint',
        strategy: 'circuit_break+graceful_degrade',
        outcome: 'degraded',
        error: { message: 'broken' },
      },
      { operation: 'limited', strategy: 'none', outcome: 'success', attempts: 1 },
      { operation: 'limited', strategy: 'none', outcome: 'failure', attempts: 0 },
    ]);
    expect(history({ outcome: 'degraded' })).toHaveLength(1);
    expect(history({ limit: 0 })).toEqual([]);
    await kit.operations.lint();
    expect(history().map(({ sequence }) => sequence)).toEqual([2, 3, 4, 5]);
    expect(await byName('nothing')).toMatchObject({
      ok: false,
      error: { name: 'TypeError' },
    });
    expect(await byName('toString')).toMatchObject({
      ok: false,
      error: { name: 'TypeError' },
    });
  });
});

describe('checks', () => {
  it('are registered, and run without the guards', async () => {
    const health = healthMonitor();
    const kit = harden({
      name: 'checked',
      health,
      operations: { lint: { run: () => 1, breaker: {} } },
      checks: {
        linter: { check: down },
        mirror: { check: down, failureStatus: 'degraded' },
        fine: { check: () => false },
      },
    });
    kit.policies.breakers.lint?.isolate();
    const { status, checks } = await kit.health();
    expect(status).toBe('unhealthy');
    expect(Object.values(checks).map((check) => [check.name, check.status])).toEqual([
      ['linter', 'unhealthy'],
      ['mirror', 'degraded'],
      ['fine', 'healthy'],
    ]);
  });

  it('are taken back when the construction fails', () => {
    const health = healthMonitor();
    health.register({ name: 'taken', check: () => {} });
    const make = () =>
      harden({
        name: 'checked',
        health,
        operations: { lint: { run: () => 1 } },
        checks: { free: { check: () => 1 }, taken: { check: () => 1 } },
      });
    expect(make).toThrow(/taken/);
    expect(health.stats().unknown).toEqual(['taken']);
  });
});

const run = (): number => 1;
const INVALID: [string, unknown, string][] = [
  ['null', null, 'harden: options must be an object'],
  ['no name', { operations: { a: { run } } }, 'harden: name must be'],
  ['an empty name', { name: '', operations: { a: { run } } }, 'harden: name must be'],
  ['an unknown option', { name: 'a', operation: {} }, "harden: unknown option 'operation'"],
  ['no operations', { name: 'a' }, 'harden.operations: '],
  ['no operation', { name: 'a', operations: {} }, 'harden.operations: '],
  ['operations in an array', { name: 'a', operations: [{ run }] }, 'harden.operations: '],
  ['a clock that is none', { name: 'a', operations: { a: { run } }, clock: {} }, 'harden: clock'],
  [
    'spans of another kind',
    { name: 'a', operations: { a: { run } }, spans: 'some' },
    'harden: spans',
  ],
  [
    'an audit log that is none',
    { name: 'a', operations: { a: { run } }, audit: {} },
    'harden: audit.append',
  ],
  [
    'a monitor that is none',
    { name: 'a', operations: { a: { run } }, health: 1 },
    'harden: health',
  ],
  [
    'a history of -1',
    { name: 'a', operations: { a: { run } }, historySize: -1 },
    'harden: historySize',
  ],
  [
    'a shared policy that nobody uses',
    { name: 'a', operations: { a: { run } }, limiters: { b: {} } },
    'harden.limiters.b: ',
  ],
  [
    'a shared policy of null',
    { name: 'a', operations: { a: { run } }, breakers: { b: null } },
    'harden.breakers.b: ',
  ],
  [
    'a check without a function',
    { name: 'a', operations: { a: { run } }, checks: { b: {} } },
    'harden.checks.b: check must be',
  ],
  [
    'a check with an unknown status',
    { name: 'a', operations: { a: { run } }, checks: { b: { check: run, failureStatus: 'ill' } } },
    'harden.checks.b: ',
  ],
];
const INVALID_OPERATIONS: [string, unknown, string][] = [
  ['null', null, 'harden.operations.lint: must be an object'],
  ['no run', {}, 'harden.operations.lint: run must be a function'],
  ['an unknown member', { run, limitter: {} }, "harden.operations.lint: unknown option 'limitter'"],
  ['a limiter of null', { run, limiter: null }, 'harden.operations.lint.limiter: '],
  [
    'a limiter of 0',
    { run, limiter: { limit: 0 } },
    'harden.operations.lint.limiter: limit must be',
  ],
  ['a share of 2', { run, limiter: { share: 2 } }, 'harden.operations.lint.limiter: share must be'],
  [
    'a limiter with an unknown option',
    { run, limiter: { rate: 1 } },
    "harden.operations.lint.limiter: unknown option 'rate'",
  ],
  [
    'a limiter that is not shared',
    { run, limiter: 'all' },
    'harden.operations.lint: limiter must name a shared one',
  ],
  [
    'a bulkhead of 1.5',
    { run, bulkhead: { limit: 1.5 } },
    'harden.operations.lint.bulkhead: limit must be',
  ],
  ['a bulkhead of another type', { run, bulkhead: 4 }, 'harden.operations.lint.bulkhead: '],
  [
    'a breaker with a name',
    { run, breaker: { name: 'x' } },
    'harden.operations.lint.breaker: name ',
  ],
  [
    'a breaker out of range',
    { run, breaker: { openDurationMs: -1 } },
    'harden.operations.lint.breaker: openDurationMs',
  ],
  [
    'a retry out of range',
    { run, retry: { maxAttempts: 0 } },
    'harden.operations.lint.retry: maxAttempts',
  ],
  [
    'a retry with a predicate',
    { run, retry: { shouldHandle: run } },
    'harden.operations.lint.retry: shouldHandle',
  ],
  ['a timeout of text', { run, timeoutMs: '1s' }, 'harden.operations.lint: timeoutMs must be'],
  [
    'an attempt of 0 ms',
    { run, attemptTimeoutMs: 0 },
    'harden.operations.lint: attemptTimeoutMs must be',
  ],
  ['errors that are no array', { run, errors: {} }, 'harden.operations.lint.errors: '],
  ['a row of null', { run, errors: [null] }, 'harden.operations.lint.errors[0]: '],
  [
    'a row of an unknown category',
    { run, errors: [{ kind: 'a', category: 'odd', severity: 'low' }] },
    'harden.operations.lint.errors[0]: category must be',
  ],
  [
    'a degrade that is no function',
    { run, degrade: 'stale' },
    'harden.operations.lint: degrade must be',
  ],
  ['a memory without id', { run, remember: {} }, 'harden.operations.lint.remember: id must be'],
  ['a plan of null', { run, plans: { fast: null } }, 'harden.operations.lint.plans.fast: '],
  [
    'a plan with an unknown option',
    { run, plans: { fast: { ms: 1 } } },
    "harden.operations.lint.plans.fast: unknown option 'ms'",
  ],
  [
    'a plan out of range',
    { run, plans: { fast: { timeoutMs: 0 } } },
    'harden.operations.lint.plans.fast: timeoutMs',
  ],
];

describe('construction', () => {
  it.each(INVALID)('refuses %s', (_, options, message) => {
    expect(() => harden(options as never)).toThrow(message);
  });

  it.each(INVALID_OPERATIONS)('refuses an operation with %s', (_, definition, message) => {
    const options = { name: 'a', operations: { lint: definition } };
    expect(() => harden(options as HardenOptions<Record<string, AnyOperation>>)).toThrow(message);
  });

  it.each(['limiter', 'breaker', 'bulkhead'] as const)(
    'refuses a second policy of a name: %s',
    (slot) => {
      const make = () =>
        harden({
          name: 'twice',
          [`${slot}s`]: { lint: {} },
          operations: { format: { run, [slot]: 'lint' }, lint: { run, [slot]: {} } },
        });
      expect(make).toThrow(`harden.operations.lint.${slot}: there is a ${slot} 'lint' already.`);
    },
  );

  it('takes operations by any name, those of Object.prototype too', async () => {
    const operations = { constructor: { run }, toString: { run: () => 2 } };
    const kit = harden({ name: 'names', operations });
    expect(await kit.operations.constructor()).toEqual({ value: 1 });
    expect(await kit.operations.toString()).toEqual({ value: 2 });
  });
});

describe('functions that throw', () => {
  it('are logged, and the call runs as without them', async () => {
    const kit = harden({
      name: 'hooks',
      operations: {
        lint: operation({
          run: (_, source: string) => source,
          planOf: fail(),
          resource: fail(),
          remember: { id: fail() },
          isFailure: fail(),
          plans: { fast: { timeoutMs: 1 } },
        }),
      },
    });
    expect(await kit.operations.lint('a')).toEqual({ value: 'a' });
    expect(await kit.auditLog()).toMatchObject([{ resource: 'lint', status: 'success' }]);
  });
});

describe('shutdown', () => {
  it('ends what it made, and leaves what it was given', async () => {
    const audit = auditLog({ sinks: [memorySink()] });
    const health = healthMonitor();
    const kit = harden({ name: 'a', audit, health, operations: { lint: { run, limiter: {} } } });
    const [first, second] = await Promise.all([kit.shutdown(), kit.shutdown()]);
    expect(second).toBe(first);
    expect(first).toMatchObject({ outcome: 'completed' });
    await audit.append({ eventType: 'x', action: 'y', resource: 'z', status: 'ok' });
    await audit.close();
  });
});

describe('types', () => {
  it('infer the arguments and the result of each operation', () => {
    const kit = harden({
      name: 'typed',
      operations: {
        lint: operation({
          run: async ({ signal }, source: string, strict?: boolean) =>
            [source, strict, signal].length,
          degrade: ({ error, key }, source, strict) => {
            expectTypeOf({ error, key, source, strict }).toEqualTypeOf<{
              error: unknown;
              key: string | undefined;
              source: string;
              strict: boolean | undefined;
            }>();
            return { value: 1, by: 'guess' };
          },
        }),
        format: { run: (_, source: string) => ({ text: source }) },
      },
    });
    expectTypeOf(kit.operations.lint).parameters.toEqualTypeOf<
      [source: string, strict?: boolean | undefined]
    >();
    expectTypeOf(kit.operations.lint).returns.toEqualTypeOf<Promise<Guarded<number>>>();
    expectTypeOf(kit.operations.format).returns.toEqualTypeOf<Promise<Guarded<{ text: string }>>>();
    // @ts-expect-error -- a number is no source
    expect(() => kit.operations.format(1)).not.toThrow();
    // @ts-expect-error -- there is no such operation
    expect(kit.operations.pack).toBeUndefined();
    const wrong = () =>
      // @ts-expect-error -- the degraded answer is of another type
      operation({ run: () => 1, degrade: () => ({ value: 'one', by: 'guess' }) });
    expect(wrong).not.toThrow();
  });
});

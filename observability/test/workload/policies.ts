import { createRequire } from 'node:module';
import * as audits from '@temper/audit';
import * as memory from '@temper/audit/memory';
import * as breakers from '@temper/breaker';
import type { Executor, TelemetryScope } from '@temper/core';
import * as core from '@temper/core';
import * as checks from '@temper/health';
import * as limiters from '@temper/ratelimit';
import * as adaptive from '@temper/ratelimit/adaptive';
import * as http from '@temper/ratelimit/http';
import * as shared from '@temper/ratelimit/shared';
import * as recovery from '@temper/recovery';
import * as plans from '@temper/recovery/plan';
import * as retries from '@temper/retry';

const MODULES = {
  audit: audits,
  'audit/memory': memory,
  breaker: breakers,
  core,
  health: checks,
  ratelimit: limiters,
  'ratelimit/adaptive': adaptive,
  'ratelimit/http': http,
  'ratelimit/shared': shared,
  recovery,
  'recovery/plan': plans,
  retry: retries,
};
type Copy = typeof audits &
  typeof memory &
  typeof breakers &
  typeof core &
  typeof checks &
  typeof limiters &
  typeof adaptive &
  typeof http &
  typeof shared &
  typeof recovery &
  typeof plans &
  typeof retries;

const load = createRequire(import.meta.url);

/** Every package twice, as a process may have them: as ES modules, and as CommonJS. */
export const COPIES: readonly Copy[] = [
  Object.assign({}, ...Object.values(MODULES)),
  Object.assign({}, ...Object.keys(MODULES).map((name) => load(`@temper/${name}`))),
];

/** How a call ends: it succeeds, fails, or is left by its caller while it runs. */
export type Ending = 'well' | 'ill' | 'left';
export const ENDINGS: readonly Ending[] = ['well', 'ill', 'left'];

export interface Common {
  readonly name: string;
  readonly telemetry?: TelemetryScope;
}

/** A series: its metric, and its attributes besides the policy and the type of an error. */
export type Series = readonly [metric: string, ...attributes: string[]];

/** Something that takes part in a workload. */
export interface Member {
  call(ending: Ending, key: string): Promise<void>;
  /** What its levels have to say now. */
  levels?(): readonly { readonly series: Series; readonly value: number }[];
  /** What else can happen to it, and what it must have counted then. */
  disturb?(): readonly Series[];
  end(): void | Promise<void>;
}

/** A kind of member, and the series in which each call must be counted once, by how it ended. */
export interface Subject {
  readonly create: (copy: Copy, common: Common) => Member;
  readonly counted: Readonly<Record<Ending, readonly Series[]>>;
}

const refused = (): Error => Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });

/** Makes one call that ends in a way. */
async function execute(policy: Pick<Executor, 'execute'>, ending: Ending, key: string) {
  const caller = new AbortController();
  const running = policy.execute(
    ({ signal }) => {
      if (ending === 'well') return 'well';
      if (ending === 'ill') throw refused();
      caller.abort(new Error('left'));
      return new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
    { signal: caller.signal, key },
  );
  await running.catch(() => undefined);
}

/** A policy as a member. */
function executing(
  policy: Executor,
  besides: Partial<Pick<Member, 'levels' | 'disturb'>> = {},
): Member {
  return {
    call: (ending, key) => execute(policy, ending, key),
    end: () => (policy as Partial<Disposable>)[Symbol.dispose]?.(),
    ...besides,
  };
}

type Outcomes = Readonly<Record<Ending, string>>;
const CALLS: Outcomes = { well: 'success', ill: 'failure', left: 'aborted' };

/** One count in each of the metrics, with the outcome of the call. */
const counts = (metrics: readonly string[], outcomes: Outcomes = CALLS): Subject['counted'] =>
  perEnding((ending) => metrics.map((metric) => [metric, outcomes[ending]]));

function perEnding(series: (ending: Ending) => readonly Series[]): Subject['counted'] {
  return { well: series('well'), ill: series('ill'), left: series('left') };
}

/** A limiter decides before the call: what becomes of it is not its matter. */
const limiter = (create: (copy: Copy, common: Common) => Executor): Subject => ({
  create: (copy, common) => executing(create(copy, common)),
  counted: counts(['temper.ratelimit.requests'], {
    well: 'allowed',
    ill: 'allowed',
    left: 'allowed',
  }),
});
const RATE = { limit: 1_000_000, windowMs: 1_000 };

const STATES = ['isolated', 'open', 'half-open', 'closed'];
const STATUSES = ['unhealthy', 'degraded', 'healthy'];

/** Of members of one name the worst state counts, the first of these. Other levels add up. */
export const WORST_FIRST: Readonly<Record<string, readonly string[]>> = {
  'temper.breaker.state': STATES,
  'temper.health.status': STATUSES,
};

/** One level per state, of which the present one is 1. */
const levelsOf = (metric: string, states: readonly string[], now: string, ...more: string[]) =>
  states.map((state) => ({
    series: [metric, ...more, state] as Series,
    value: state === now ? 1 : 0,
  }));

/** Everything that counts. */
export const SUBJECTS: Readonly<Record<string, Subject>> = {
  retry: {
    create: ({ retry }, common) => executing(retry({ ...common, maxAttempts: 1 })),
    counted: perEnding((ending) => [
      ['temper.retry.operations', { ...CALLS, ill: 'exhausted' }[ending]],
      ['temper.retry.operation.duration', { ...CALLS, ill: 'exhausted' }[ending]],
      ['temper.retry.attempts', CALLS[ending]],
    ]),
  },
  breaker: {
    create({ circuitBreaker }, common) {
      const breaker = circuitBreaker({ ...common, failureThreshold: 1_000_000 });
      return executing(breaker, {
        levels: () => levelsOf('temper.breaker.state', STATES, breaker.state),
        // Isolated and closed again, so that calls go on.
        disturb() {
          breaker.isolate()[Symbol.dispose]();
          return [
            ['temper.breaker.transitions', 'closed', 'isolated'],
            ['temper.breaker.transitions', 'isolated', 'closed'],
          ];
        },
      });
    },
    counted: counts(['temper.breaker.calls', 'temper.breaker.call.duration']),
  },
  isolated: {
    create({ circuitBreaker }, common) {
      const breaker = circuitBreaker(common);
      return {
        call: async () => undefined,
        levels: () => levelsOf('temper.breaker.state', STATES, breaker.state),
        disturb() {
          if (breaker.state === 'isolated') return [];
          breaker.isolate();
          return [['temper.breaker.transitions', 'closed', 'isolated']];
        },
        end: () => breaker[Symbol.dispose](),
      };
    },
    counted: perEnding(() => []),
  },
  timeout: {
    create: ({ timeout }, common) => executing(timeout({ ...common, timeoutMs: 600_000 })),
    counted: counts(['temper.timeout.calls']),
  },
  hedge: {
    create: ({ hedge }, common) => executing(hedge({ ...common, delayMs: 600_000 })),
    counted: counts(['temper.hedge.calls']),
  },
  fallback: {
    create: ({ fallback }, common) =>
      executing(fallback({ ...common, handler: () => 'second best' })),
    counted: counts(['temper.fallback.calls'], { ...CALLS, ill: 'fallback' }),
  },
  cached: {
    create({ cached }, common) {
      const cache = cached({ ...common, freshMs: 600_000, key: ({ key }) => key ?? '' });
      return executing(cache, {
        levels: () => [{ series: ['temper.cache.keys'], value: cache.stats().keys }],
      });
    },
    counted: counts(['temper.cache.calls']),
  },
  chaos: {
    create: ({ chaos }, common) =>
      executing(chaos({ ...common, enabled: true, result: { rate: 1, value: () => 'injected' } })),
    counted: perEnding(() => [['temper.chaos.injections', 'result']]),
  },
  plan: {
    create({ recover }, { name, telemetry }) {
      const plan = recover(
        { operation: name, strategy: 'graceful_degrade', degrade: () => 'a part' },
        telemetry === undefined ? {} : { telemetry },
      );
      return {
        call: (ending, key) => execute({ execute: plan.run.bind(plan) }, ending, key),
        end: () => plan[Symbol.dispose](),
      };
    },
    counted: perEnding((ending) => [
      // That of the plan, around the operation.
      ['temper.timeout.calls', CALLS[ending]],
      // That of the policy `<name> handler`, which answers in its place.
      ...(ending === 'ill' ? [['temper.timeout.calls', 'handler', 'success'] as Series] : []),
      ...['temper.recovery.executions', 'temper.recovery.execution.duration'].map(
        (metric): Series => [metric, { ...CALLS, ill: 'degraded' }[ending], 'graceful_degrade'],
      ),
    ]),
  },
  errors: {
    create({ errorLog }, common) {
      const log = errorLog(common);
      return { call: async () => void log.handle(refused()), end: () => log[Symbol.dispose]() };
    },
    counted: perEnding(() => [['temper.errors', 'network', 'high']]),
  },
  audit: {
    create({ auditLog, memorySink }, common) {
      const log = auditLog({ ...common, sinks: [memorySink()] });
      return {
        call: async (_, key) =>
          void (await log.append({
            eventType: 'call',
            action: 'made',
            resource: key,
            status: 'success',
          })),
        levels: () => [{ series: ['temper.audit.pending'], value: log.stats().pending }],
        end: () => log.close(),
      };
    },
    counted: perEnding(() => [['temper.audit.events', 'stored'], ['temper.audit.append.duration']]),
  },
  health: {
    create({ healthMonitor }, common) {
      const monitor = healthMonitor({ ...common, ttlMs: 0 });
      let isWell = true;
      monitor.register({ name: 'dependency', check: () => isWell });
      let status: string = 'unknown';
      return {
        async call(ending) {
          isWell = ending === 'well';
          const report = await monitor.check();
          status = report.status;
        },
        levels: () =>
          status === 'unknown'
            ? []
            : levelsOf('temper.health.status', STATUSES, status, 'dependency'),
        end: () => (monitor as Partial<Disposable>)[Symbol.dispose]?.(),
      };
    },
    counted: perEnding((ending) => [
      ['temper.health.checks', 'dependency', ending === 'well' ? 'healthy' : 'unhealthy'],
      ['temper.health.check.duration', 'dependency'],
    ]),
  },
  tokenBucket: limiter(({ tokenBucket }, common) => tokenBucket({ ...common, ...RATE })),
  gcra: limiter(({ gcra }, common) => gcra({ ...common, ...RATE })),
  slidingWindow: limiter(({ slidingWindow }, common) => slidingWindow({ ...common, ...RATE })),
  fixedWindow: limiter(({ fixedWindow }, common) => fixedWindow({ ...common, ...RATE })),
  keyed: {
    ...limiter(({ tokenBucket }, common) => tokenBucket({ ...common, ...RATE })),
    create({ keyed, tokenBucket }, { name, ...common }) {
      const keys = keyed({ name, template: tokenBucket({ name, ...common, ...RATE }) });
      return executing(keys, {
        levels: () => [{ series: ['temper.ratelimit.keys'], value: keys.stats().keys }],
      });
    },
  },
  concurrency: limiter(({ concurrency }, common) => concurrency({ ...common, limit: 1_000 })),
  adaptiveConcurrency: limiter(({ adaptiveConcurrency }, common) =>
    adaptiveConcurrency({ ...common, minLimit: 1_000, initialLimit: 1_000, maxLimit: 1_000 }),
  ),
  throttle: limiter(({ throttle }, common) =>
    throttle({ ...common, random: () => 1 - Number.EPSILON }),
  ),
  clientRateLimit: limiter(({ clientRateLimit }, common) => clientRateLimit(common)),
  sharedRateLimit: limiter(({ sharedRateLimit, MemoryRateLimitStore }, common) =>
    sharedRateLimit({ ...common, store: new MemoryRateLimitStore(), ...RATE }),
  ),
};

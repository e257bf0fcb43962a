import { circuitBreaker } from '@temper/breaker';
import type { CallContext } from '@temper/core';
import { pipelines } from '@temper/recovery';
import { retry } from '@temper/retry';
import { ManualClock, seededRandom } from '@temper/testkit';
import {
  type AutotuneOptions,
  type Autotuner,
  autotune,
  type RecordedCall,
  reloadPipeline,
  type TuningBounds,
  type TuningSettings,
} from '../../src/tuning/index.ts';

/** What a try at the dependency comes to: an answer or an error after `ms`; `Infinity` is no answer. */
interface Fate {
  readonly ms: number;
  readonly error?: boolean;
}

/** A dependency: decides on each try. `inFlight` are the tries that run, this one included. */
type Dependency = (t: {
  readonly random: () => number;
  readonly call: CallContext;
  readonly atMs: number;
  readonly inFlight: number;
  /** A number that all tries of one call share. */
  readonly luck: number;
}) => Fate;

/** A scenario: how calls come, and what the dependency makes of them. */
export interface Scenario {
  readonly perSecond: number;
  readonly dependency: Dependency;
}

export const SCENARIOS = ['tail', 'flaky', 'hopeless', 'hanging', 'load', 'outages'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/** What most services begin with: the defaults of the policies, and a timeout to be safe. */
export const USUAL_SETTINGS = {
  maxAttempts: 3,
  initialDelayMs: 100,
  attemptTimeoutMs: 5000,
  hedgeDelayMs: 2000,
  failureRateThreshold: 0.5,
  minimumThroughput: 10,
  openDurationMs: 60_000,
} as const satisfies TuningSettings;

export const BOUNDS: TuningBounds = {
  maxAttempts: [1, 5],
  initialDelayMs: [10, 1000],
  attemptTimeoutMs: [100, 10_000],
  hedgeDelayMs: [10, 5000],
  failureRateThreshold: [0.3, 0.9],
  minimumThroughput: [5, 100],
  openDurationMs: [5000, 300_000],
};

/** Latency with a log-normal body, of which a part takes ten times as long. */
function latency(random: () => number, baseMs: number, sigma: number, tail: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return baseMs * Math.exp(sigma * normal) * (random() < tail ? 10 : 1);
}

/** Draws a service of this kind. */
export function drawScenario(name: ScenarioName, seed: number): Scenario {
  const random = seededRandom(seed * 7919 + name.length * 31 + name.charCodeAt(0));
  const uniform = (low: number, high: number): number => low + (high - low) * random();
  const baseMs = uniform(15, 60);
  const sigma = uniform(0.3, 0.6);
  const perSecond = uniform(20, 40);
  const tail = uniform(0.01, 0.03);
  const share = uniform(0.03, 0.06);
  const usual: Dependency = ({ random }) => ({ ms: latency(random, baseMs, sigma, 0.002) });
  switch (name) {
    case 'tail':
      return {
        perSecond,
        dependency: ({ random }) => ({ ms: latency(random, baseMs, sigma, tail) }),
      };
    case 'flaky':
      return {
        perSecond,
        dependency: (t) => ({ ...usual(t), error: t.random() < share }),
      };
    case 'hopeless':
      return { perSecond, dependency: (t) => ({ ...usual(t), error: t.luck < share }) };
    case 'hanging': {
      const hangs = uniform(0.003, 0.008);
      return {
        perSecond,
        dependency: (t) => (t.random() < hangs ? { ms: Number.POSITIVE_INFINITY } : usual(t)),
      };
    }
    case 'load': {
      // As a queue: each try beyond what fits makes all of them slower.
      const fits = Math.max(3, ((perSecond * baseMs) / 1000) * uniform(2, 3));
      return {
        perSecond,
        dependency: (t) => {
          const slower = Math.max(1, t.inFlight / fits);
          return { ms: latency(t.random, baseMs, sigma, tail) * slower, error: t.random() < 0.005 };
        },
      };
    }
    case 'outages': {
      const every = uniform(15, 25) * 60_000;
      const lasts = uniform(60, 120) * 1000;
      return {
        perSecond,
        dependency: (t) => {
          const down = t.atMs > 300_000 && t.atMs % every < lasts;
          return { ms: latency(t.random, baseMs, sigma, tail), error: down || t.random() < 0.005 };
        },
      };
    }
  }
}

/** What calls came to. */
export interface Totals {
  readonly calls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly tries: number;
}

export interface WorldOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly settings: { readonly [S in keyof typeof USUAL_SETTINGS]: number };
  /** Options of the tuner; `undefined` for none. */
  readonly tuning?: Partial<AutotuneOptions> & { readonly applies?: boolean };
  readonly onCall?: (call: RecordedCall) => void;
}

/** Calls of a service through the real policies, with the time of a manual clock. */
export class World {
  readonly clock = new ManualClock();
  readonly tuner: Autotuner;
  readonly #registry: ReturnType<typeof pipelines>;
  readonly #scenario: Scenario;
  readonly #random: () => number;
  readonly #took: number[] = [];
  #failed = 0;
  #tries = 0;
  #inFlight = 0;
  #running = 0;
  #left = 0;
  readonly #began: number;

  constructor({ scenario, seed, settings, tuning = {}, onCall }: WorldOptions) {
    const { clock } = this;
    this.#scenario = scenario;
    this.#random = seededRandom(seed * 104_729 + 1);
    this.#began = clock.monotonic();
    const { applies = false, ...options } = tuning;
    let apply: ((settings: TuningSettings) => void) | undefined;
    this.tuner = autotune({
      name: 'world',
      settings,
      bounds: BOUNDS,
      clock,
      ...(applies ? { apply: (next: TuningSettings) => apply?.(next) } : {}),
      ...options,
    });
    if (onCall !== undefined) this.tuner.onCall(onCall);
    const random = seededRandom(seed * 31 + 7);
    this.#registry = pipelines({
      clock,
      kinds: {
        calls: () => this.tuner.calls,
        retry: (given: object) => retry({ ...given, random, spans: 'none' }),
        breaker: (given: object) =>
          circuitBreaker({ ...given, onStateChange: this.tuner.stateChanged, spans: 'none' }),
        tries: () => this.tuner.tries,
      },
      define: { world: definition(settings) },
    });
    apply = reloadPipeline(this.#registry, 'world');
  }

  /** Makes so many calls, and returns what they came to. */
  async run(calls: number): Promise<Totals> {
    const { clock } = this;
    const policy = this.#registry.get('world');
    this.#took.length = 0;
    this.#failed = 0;
    this.#tries = 0;
    this.#left = calls;
    const next = (): void => {
      if (this.#left === 0) return;
      this.#left--;
      void this.#call(policy as NonNullable<typeof policy>);
      const gapS = -Math.log(1 - this.#random()) / this.#scenario.perSecond;
      clock.schedule(next, gapS * 1000);
    };
    next();
    while (this.#left > 0 || this.#running > 0) await clock.advance(10_000);
    const sorted = this.#took.toSorted((a, b) => a - b);
    const at = (q: number): number => sorted[Math.ceil(q * sorted.length) - 1] as number;
    return { calls, failed: this.#failed, p50Ms: at(0.5), p99Ms: at(0.99), tries: this.#tries };
  }

  async #call(policy: { execute<T>(operation: (call: CallContext) => Promise<T>): Promise<T> }) {
    const startedAt = this.clock.monotonic();
    const luck = this.#random();
    this.#running++;
    try {
      await policy.execute((call) => this.#try(call, luck));
    } catch {
      this.#failed++;
    }
    this.#running--;
    this.#took.push(this.clock.monotonic() - startedAt);
  }

  async #try(call: CallContext, luck: number): Promise<void> {
    this.#tries++;
    this.#inFlight++;
    const { ms, error } = this.#scenario.dependency({
      random: this.#random,
      call,
      atMs: this.clock.monotonic() - this.#began,
      inFlight: this.#inFlight,
      luck,
    });
    try {
      await this.clock.sleep(Math.min(ms, 1e9), call.signal);
    } finally {
      this.#inFlight--;
    }
    if (error === true) throw Object.assign(new Error('down'), { code: 'ECONNRESET' });
  }
}

function definition(settings: WorldOptions['settings']): Readonly<Record<string, object>>[] {
  const { maxAttempts, initialDelayMs, attemptTimeoutMs, hedgeDelayMs } = settings;
  const { failureRateThreshold, minimumThroughput, openDurationMs } = settings;
  return [
    { calls: {} },
    { retry: { maxAttempts, initialDelayMs, attemptTimeoutMs } },
    {
      breaker: {
        window: { calls: 100 },
        failureRateThreshold,
        minimumThroughput,
        openDurationMs,
      },
    },
    { hedge: { delayMs: hedgeDelayMs, spans: 'none' } },
    { tries: {} },
  ];
}

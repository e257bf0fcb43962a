import { AlwaysOffSampler, type Sampler } from '@opentelemetry/sdk-trace';
import {
  type CallOptions,
  type Operation,
  OperationTimeoutError,
  type Outcome,
  temperMetricProducer,
} from '@temper/core';
import { retryDetails } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { settle } from '@temper/testkit/clock';
import { InMemoryTelemetry, type TelemetryOptions } from '@temper/testkit/repository';
import { allowDiagnostics } from '@temper/testkit/repository/diagnostics';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { retry } from './retry.ts';

const transient = Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
const busy = Object.assign(new Error('busy'), { status: 503, retryAfterMs: 250 });
const asked = Object.assign(new Error('later'), { status: 503, retryAfterMs: 60_000 });
const bug = new TypeError('bug');

/** A call of the script: its options, and what each attempt does. */
interface Step {
  readonly policy?: RetryOptions;
  readonly call?: CallOptions;
  readonly attempts: readonly Operation<unknown>[];
  /** When the caller aborts, in milliseconds. */
  readonly abortAfterMs?: number;
}
const ok: Operation<unknown> = () => 'done';
const fails =
  (error: unknown): Operation<unknown> =>
  () =>
    Promise.reject(error);
const hangs: Operation<unknown> = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

const pending: RetryOptions = {
  shouldHandle: (o: Outcome<unknown>) => o.ok && o.value === 'pending',
};

const SCRIPT: Readonly<Record<string, Step>> = {
  'success at once': { attempts: [ok] },
  'success of a synchronous operation that threw': {
    attempts: [
      () => {
        throw transient;
      },
      ok,
    ],
  },
  'recovered after two failures': { attempts: [fails(transient), fails(busy), ok] },
  exhausted: { attempts: [fails(transient), fails(busy), fails(transient)] },
  'wrapped and exhausted': { policy: { wrapExhausted: true }, attempts: [fails(transient)] },
  'not transient': { attempts: [fails(bug)] },
  'not transient later': { attempts: [fails(transient), fails(bug)] },
  unknown: { attempts: [fails(new Error('?'))] },
  'a primitive': { policy: { shouldHandle: (o) => !o.ok }, attempts: [fails('text'), fails(null)] },
  'a value that counts as a failure': { policy: pending, attempts: [() => 'pending'] },
  'a value after a failure': { policy: pending, attempts: [() => 'pending', ok] },
  'Retry-After too long': { attempts: [fails(asked)] },
  'no time left': { call: { timeoutMs: 120 }, attempts: [fails(transient)] },
  'too late': { call: { timeoutMs: 120 }, attempts: [hangs] },
  'maxElapsedMs reached': { policy: { maxElapsedMs: 150 }, attempts: [fails(transient)] },
  'budget spent': {
    policy: { budget: { deposit: () => {}, withdraw: () => false } },
    attempts: [fails(busy)],
  },
  'attempts time out': { policy: { attemptTimeoutMs: 30 }, attempts: [hangs, hangs, ok] },
  'aborted in an attempt': { attempts: [hangs], abortAfterMs: 20 },
  'aborted in a wait': { attempts: [fails(transient)], abortAfterMs: 20 },
  'a retry inside': {
    attempts: [
      (parent) =>
        retry({ name: 'inside', clock, jitter: 'none' }).execute(fails(transient), { parent }),
    ],
  },
};

let clock = new ManualClock();

/** Plays the script, and returns everything that a caller can see. */
async function play(spans: RetryOptions['spans'] & string, signals?: TelemetryOptions) {
  const telemetry = signals === undefined ? undefined : new InMemoryTelemetry(signals);
  const seen: Record<string, unknown> = {};
  for (const [name, { policy, call, attempts, abortAfterMs }] of Object.entries(SCRIPT)) {
    clock = new ManualClock();
    const start = clock.monotonic();
    const heard: unknown[] = [];
    const controller = new AbortController();
    const guarded = retry({
      name: 'seen',
      jitter: 'none',
      clock,
      spans,
      onRetry: (event, { attempt, operation }) => heard.push([event, attempt, operation]),
      onGiveUp: (event, { attempt, operation }) => heard.push([event, attempt, operation]),
      ...policy,
    });
    const contexts: unknown[] = [];
    const running = guarded.tryExecute<unknown>(
      (context) => {
        const { attempt, operation, key, cost } = context;
        contexts.push([attempt, operation, key, cost, clock.monotonic() - start]);
        return (attempts[Math.min(attempt, attempts.length) - 1] as Operation<unknown>)(context);
      },
      { signal: controller.signal, operation: 'op', key: 'k', cost: 2, ...call },
    );
    if (abortAfterMs !== undefined) {
      await clock.advance(abortAfterMs);
      controller.abort('left');
    }
    const outcome = await clock.runUntil(running);
    await settle();
    const error = outcome.ok ? undefined : outcome.error;
    seen[name] = {
      outcome,
      message: error instanceof Error ? error.message : error,
      details: retryDetails(error),
      heard,
      contexts,
      took: clock.monotonic() - start,
      stats: guarded.stats(),
      pending: clock.pendingRefed,
    };
  }
  await telemetry?.close();
  return seen;
}

const broken: Sampler = {
  shouldSample() {
    throw new Error('broken sampler');
  },
  toString: () => 'broken',
};

describe('what a caller sees', () => {
  beforeEach(() => {
    allowDiagnostics(/does not retry an error that it cannot classify/);
    allowDiagnostics(/makes no further attempt of a call, as its budget is spent/);
  });

  it('covers every outcome and reason', async () => {
    const seen = Object.values(await play('none')) as {
      stats: { operations: Record<string, number> };
      details?: { reason: string };
    }[];
    const outcomes = seen.flatMap(({ stats }) =>
      Object.entries(stats.operations).flatMap(([name, n]) => (n > 0 ? [name] : [])),
    );
    expect(new Set(outcomes)).toEqual(
      new Set(['success', 'recovered', 'failure', 'exhausted', 'aborted']),
    );
    const reasons = seen.flatMap(({ details }) => details?.reason ?? []);
    expect(new Set(reasons)).toEqual(
      new Set(['attempts', 'deadline', 'elapsed', 'budget', 'retry-after']),
    );
  });

  for (const spans of ['all', 'failures', 'none'] as const) {
    it.each<[string, TelemetryOptions]>([
      ['metrics', { traces: false, logs: false }],
      ['traces', { metrics: false, logs: false }],
      ['logs', { metrics: false, traces: false }],
      ['metrics, traces and logs', {}],
      ['a metric producer', { metricProducers: [temperMetricProducer()] }],
      ['traces that are not sampled', { sampler: new AlwaysOffSampler() }],
      ['a sampler that throws', { sampler: broken }],
    ])(`is the same without an SDK and with %s, spans ${spans}`, async (_, signals) => {
      const bare = await play(spans);
      expect(Object.keys(bare)).toEqual(Object.keys(SCRIPT));
      expect(await play(spans, signals)).toEqual(bare);
    });
  }

  it('has the time from the end of the first attempt as elapsedMs, always', async () => {
    const seen = (await play('all', {})) as Record<string, { details?: { elapsedMs: number } }>;
    // Waits of 100 and 250 ms, of 100 ms, and none.
    expect(seen.exhausted?.details?.elapsedMs).toBe(350);
    expect(seen['maxElapsedMs reached']?.details?.elapsedMs).toBe(100);
    expect(seen['Retry-After too long']?.details?.elapsedMs).toBe(0);
  });

  it('has an OperationTimeoutError for an attempt that timed out', async () => {
    const seen = (await play('failures', {})) as Record<string, { heard: unknown[][] }>;
    const [event] = seen['attempts time out']?.heard[0] ?? [];
    expect((event as { outcome: { error: unknown } }).outcome.error).toBeInstanceOf(
      OperationTimeoutError,
    );
  });
});

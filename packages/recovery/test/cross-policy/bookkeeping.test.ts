import { context, metrics, type Span, trace } from '@opentelemetry/api';
import type { Clock } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KIND_NAMES, KINDS } from './catalogue.ts';

/** Something that policies keep books with, and that throws from {@link fail} on. */
interface Dependency {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  fail(): void;
}

const broken = (): never => {
  throw new Error('broken bookkeeping');
};

/** A clock of which one part throws from `fail` on. */
function brokenClock(part: 'monotonic' | 'now' | 'schedule' | 'cancel' | 'ref'): Dependency {
  const clock = new ManualClock();
  let failing = false;
  const or = <T>(own: T): T => (failing ? (broken as T) : own);
  return {
    fail() {
      failing = true;
    },
    clock: {
      now: () => (part === 'now' ? or(clock.now) : clock.now)(),
      monotonic: () => (part === 'monotonic' ? or(clock.monotonic) : clock.monotonic)(),
      sleep: clock.sleep,
      schedule(callback, ms) {
        const timer = (part === 'schedule' ? or(clock.schedule) : clock.schedule)(callback, ms);
        return {
          cancel: () => (part === 'cancel' ? or(timer.cancel) : timer.cancel)(),
          ref: () => (part === 'ref' ? or(timer.ref) : timer.ref)(),
          unref: () => (part === 'ref' ? or(timer.unref) : timer.unref)(),
        };
      },
    },
  };
}

/** A signal whose listeners cannot be removed from `fail` on. */
function brokenSignal(): Dependency {
  const { signal } = new AbortController();
  return {
    clock: new ManualClock(),
    signal,
    fail() {
      Object.defineProperty(signal, 'removeEventListener', { value: broken });
    },
  };
}

/** Spans and instruments that throw from `fail` on. */
function brokenTelemetry(): Dependency {
  let failing = false;
  const throwing = new Proxy({} as Record<string, unknown>, {
    get: (_, key) => (key === 'then' ? undefined : () => (failing ? broken() : throwing)),
  });
  const spanContext = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: 1 };
  const span = new Proxy({} as Span, {
    get: (_, key) => () =>
      failing ? broken() : key === 'spanContext' ? spanContext : key === 'isRecording' || span,
  });
  trace.setGlobalTracerProvider({
    getTracer: () => ({ startSpan: () => span, startActiveSpan: broken }) as never,
  });
  metrics.setGlobalMeterProvider({ getMeter: () => throwing as never });
  return {
    clock: new ManualClock(),
    fail() {
      failing = true;
    },
  };
}

const DEPENDENCIES: Record<string, () => Dependency> = {
  'reading monotonic time': () => brokenClock('monotonic'),
  'reading wall-clock time': () => brokenClock('now'),
  'arming a timer': () => brokenClock('schedule'),
  'cancelling a timer': () => brokenClock('cancel'),
  'releasing a timer': () => brokenClock('ref'),
  'removing a listener': brokenSignal,
  telemetry: brokenTelemetry,
};

const CASES = Object.keys(DEPENDENCIES).flatMap((what) =>
  KIND_NAMES.map((kind) => [kind, what] as const),
);

const OUTCOMES: [string, () => unknown, unknown][] = [
  ['a value', () => 'done', 'done'],
  ['an error', () => Promise.reject(new TypeError('a bug')), 'a bug'],
];

describe.each(CASES)('%s, when %s throws', (kind, what) => {
  afterEach(() => {
    vi.restoreAllMocks();
    for (const api of [trace, metrics, context]) api.disable();
  });

  it.each(OUTCOMES)('still ends a call with %s', async (_name, end, expected) => {
    const dependency = DEPENDENCIES[what]!();
    const policy = KINDS[kind](dependency.clock as ManualClock);
    const { signal = new AbortController().signal } = dependency;
    let finish = (): void => {};
    let began = false;
    const operation = async (): Promise<unknown> => {
      began = true;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return end();
    };
    let ended: unknown = 'pending';
    const note = (result: unknown): void => {
      ended = result instanceof Error ? result.message : result;
    };
    void policy.execute(operation, { signal, timeoutMs: 10_000 }).then(note, note);
    for (let i = 0; i < 3 && !began; i++) {
      await settle();
      if (dependency.clock instanceof ManualClock) await dependency.clock.advance(5);
    }
    if (!began) return expect(kind).toBe('chaos'); // its own wait has not ended
    dependency.fail();
    finish();
    await settle();
    if (kind === 'audited' && what === 'arming a timer') {
      // Without a timer, no write to a sink can be ended: the log is unavailable, and says so.
      return expect(ended).toMatch('too few are available (memory: broken bookkeeping)');
    }
    expect(ended === 'second best' ? expected : ended).toBe(expected);
    return undefined;
  });
});

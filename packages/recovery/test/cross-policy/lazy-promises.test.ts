import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';
import { circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, fallback, hedge, pipeline, timeout } from '../../src/index.ts';
import { KIND_NAMES, KINDS } from './catalogue.ts';

const TRACED: Record<string, (clock: ManualClock) => Executor> = {
  retry: (clock) => retry({ clock, spans: 'all' }),
  'retry with timed attempts': (clock) => retry({ clock, attemptTimeoutMs: 100, spans: 'all' }),
  breaker: (clock) => circuitBreaker({ clock, spans: 'all' }),
  timeout: (clock) => timeout({ clock, timeoutMs: 100, spans: 'all' }),
  hedge: (clock) => hedge({ clock, delayMs: 50, spans: 'all' }),
  fallback: (clock) => fallback({ clock, handler: () => 'second best', spans: 'all' }),
  cached: (clock) => cached({ clock, key: () => 'k', spans: 'all' }),
  pipeline: (clock) =>
    pipeline({ clock }, retry({ clock, spans: 'all' }), circuitBreaker({ clock, spans: 'all' })),
  ...Object.fromEntries(KIND_NAMES.map((kind) => [`${kind} by default`, KINDS[kind]])),
};

const storage = new AsyncLocalStorage<string>();
let telemetry: InMemoryTelemetry;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

const place = () => ({
  span: trace.getActiveSpan()?.spanContext().spanId,
  store: storage.getStore(),
});

describe.each(Object.entries(TRACED))('a lazy promise under %s', (_, build) => {
  /** Runs a query that begins its work in `then`, as query builders do. */
  async function run(settle: (yes: (value: string) => void, no: (e: unknown) => void) => void) {
    const clock = new ManualClock();
    const policy = build(clock);
    const places: { operation: unknown; within: unknown[] }[] = [];
    const call = storage.run('caller', () =>
      policy.execute(() => {
        const seen = { operation: place(), within: [] as unknown[] };
        places.push(seen);
        const query = {};
        return Object.defineProperty(query, 'then', {
          value: (yes: (value: string) => void, no: (error: unknown) => void) => {
            seen.within.push(place());
            settle(yes, no);
          },
        }) as PromiseLike<string>;
      }),
    );
    const outcome = await clock.runUntil(
      call.then(
        (value) => value,
        (error: unknown) => error,
      ),
    );
    return { outcome, places };
  }

  it('does its work once, in the span and asynchronous context of its operation', async () => {
    const { outcome, places } = await run((yes) => yes('rows'));
    expect(outcome).toBe('rows');
    expect(places).toHaveLength(1);
    for (const { operation, within } of places) expect(within).toEqual([operation]);
    expect(places[0]?.operation).toMatchObject({ store: 'caller' });
  });

  it('does its work once for each attempt when it rejects', async () => {
    const { places } = await run((_, no) =>
      no(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
    );
    expect(places.length).toBeGreaterThan(0);
    for (const { operation, within } of places) expect(within).toEqual([operation]);
  });
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { metrics } from '@opentelemetry/api';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { Call } from './call/context.ts';
import type { ClassificationRule } from './classify.ts';
import {
  type ErrorContext,
  type ErrorLogOptions,
  errorLog,
  type HandleErrorOptions,
} from './error-log.ts';
import { numberAttempt, rememberRetries } from './retry-details.ts';
import { temperMetricProducer } from './telemetry/producer.ts';

const refused = Object.assign(new Error('no route to registry'), { code: 'ECONNREFUSED' });

describe('errorLog', () => {
  it('classifies and describes an error', () => {
    const clock = new ManualClock(1_700_000_000_000);
    const entry = errorLog({ clock }).handle(refused, {
      context: { package: 'std.core' },
      retryCount: 2,
    });
    expect(entry).toMatchObject({
      category: 'network',
      severity: 'high',
      message: 'no route to registry',
      timestamp: 1_700_000_000_000,
      context: { package: 'std.core' },
      retryCount: 2,
    });
    expect(entry.lastError).toBe(refused);
    expect(entry.errorId).toMatch(/^err_[0-9a-f]{16}$/);
  });

  it('gives every error its own id', () => {
    const log = errorLog();
    const ids = new Set(Array.from({ length: 1000 }, () => log.handle(refused).errorId));
    expect(ids.size).toBe(1000);
  });

  it('asks its rules first and lets the options of handle override them', () => {
    const rules: ClassificationRule[] = [() => ({ category: 'internal' })];
    const log = errorLog({ rules });
    expect(log.handle(refused)).toMatchObject({ category: 'internal', severity: 'high' });
    expect(log.handle(refused, { category: 'resource', severity: 'low' })).toMatchObject({
      category: 'resource',
      severity: 'low',
    });
  });

  it('takes the retry count from the retries that ended with the error', () => {
    const log = errorLog();
    const error = new Error('x');
    rememberRetries(error, new Call(), numberAttempt(), {
      policy: 'registry',
      reason: 'attempts',
      attempts: 3,
      elapsedMs: 5,
      errors: [error, error, error],
      retryAfterMs: undefined,
    });
    expect(log.handle(error).retryCount).toBe(2);
    expect(log.handle(error, { retryCount: 7 }).retryCount).toBe(7);
    expect(log.handle(Object.assign(new Error('x'), { attempts: 3 })).retryCount).toBe(0);
    expect(log.handle(null).retryCount).toBe(0);
  });

  it('leaves the error itself out of the JSON form', () => {
    const entry = errorLog().handle(refused, { context: { a: 1 } });
    const parsed: unknown = JSON.parse(JSON.stringify(entry));
    expect(parsed).toEqual({
      errorId: entry.errorId,
      category: 'network',
      severity: 'high',
      message: 'no route to registry',
      timestamp: entry.timestamp,
      context: { a: 1 },
      retryCount: 0,
    });
  });

  it('accepts any thrown value', () => {
    const log = errorLog();
    const hostile = new Proxy(new Error('x'), {
      get() {
        throw new Error('hostile');
      },
    });
    expect(log.handle(hostile).message).toBe('an object that cannot be described');
    expect(log.handle('words').message).toBe('words');
    expect(log.handle(undefined).message).toBe('undefined');
    expect(log.stats().total).toBe(3);
  });

  it('copies the context', () => {
    const context: Record<string, unknown> = { step: 1 };
    const entry = errorLog().handle(refused, { context });
    context.step = 2;
    expect(entry.context).toEqual({ step: 1 });
  });

  it('remembers the last errors, oldest first, and counts all', () => {
    const log = errorLog({ capacity: 3 });
    for (let i = 1; i <= 3; i++) log.handle(new Error(`${i}`));
    const messages = (limit?: number): string[] => log.recent(limit).map((e) => e.message);
    expect(messages()).toEqual(['1', '2', '3']);
    for (let i = 4; i <= 8; i++) log.handle(new Error(`${i}`));
    expect(messages()).toEqual(['6', '7', '8']);
    expect(messages(2)).toEqual(['7', '8']);
    expect(messages(100)).toEqual(['6', '7', '8']);
    expect(messages(0)).toEqual([]);
    expect(log.stats()).toMatchObject({ total: 8, remembered: 3 });
  });

  it('remembers nothing when its capacity is 0', () => {
    const log = errorLog({ capacity: 0 });
    log.handle(refused);
    expect(log.recent()).toEqual([]);
    expect(log.stats()).toMatchObject({ total: 1, remembered: 0 });
  });

  it('returns a snapshot of its counts by category and severity', () => {
    const log = errorLog();
    log.handle(refused);
    log.handle(refused);
    log.handle(new URIError('x'));
    const stats = log.stats();
    expect(stats.byCategory).toEqual({
      validation: 1,
      network: 2,
      timeout: 0,
      resource: 0,
      internal: 0,
      unknown: 0,
    });
    expect(stats.bySeverity).toEqual({ low: 0, medium: 1, high: 2, critical: 0 });
    log.handle(refused);
    expect(stats.total).toBe(3);
  });

  it.each<[unknown, RegExp]>([
    [
      { capacity: -1 },
      /RangeError: errorLog: capacity must be an integer from 0 to 1000000, got -1/,
    ],
    [{ capacity: 1.5 }, /got 1\.5/],
    [{ capacity: Number.NaN }, /got NaN/],
    [{ capacity: Number.POSITIVE_INFINITY }, /got Infinity/],
    [
      { name: '' },
      /TypeError: errorLog: name must be a non-empty string of at most 128 characters/,
    ],
    [{ rules: 'none' }, /TypeError: errorLog: rules must be an array of functions, got 'none'/],
    [{ rules: [5] }, /TypeError: errorLog: rules\[\] must be a function, got 5/],
    [{ clock: {} }, /TypeError: errorLog: clock\.now must be a function, got undefined/],
    [{ capcity: 5 }, /TypeError: errorLog: unknown option 'capcity'; known are name, capacity/],
    [null, /TypeError: errorLog: options must be an object, got null/],
  ])('refuses %o, naming option, range and value', (options, message) => {
    expect(() => errorLog(options as ErrorLogOptions)).toThrow();
    let said = '';
    try {
      errorLog(options as ErrorLogOptions);
    } catch (error) {
      said = String(error);
    }
    expect(said).toMatch(message);
  });

  it('refuses an unknown category without counting the error', () => {
    const log = errorLog();
    const options = { category: 'weather' } as unknown as HandleErrorOptions;
    expect(() => log.handle(refused, options)).toThrow(
      /handle: category must be one of 'validation'/,
    );
    expect(() => log.recent(-1)).toThrow(/recent: limit must be an integer >= 0, got -1/);
    expect(log.stats().total).toBe(0);
  });

  it('does not retain what the functions on the stack of an error close over', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const log = errorLog();
    const held = (() => {
      const large = { bytes: new Uint8Array(1024) };
      const fail = (): never => {
        throw new Error(`failed with ${large.bytes.length}`, {
          cause: new Error(`because of ${large.bytes.length}`),
        });
      };
      try {
        fail();
      } catch (error) {
        log.handle(error);
      }
      return new WeakRef(large);
    })();
    await new Promise((resolve) => setTimeout(resolve));
    collect();
    expect(held.deref()).toBeUndefined();
    const [{ lastError }] = log.recent() as [ErrorContext];
    expect((lastError as Error).stack).toMatch(/failed with 1024\n\s+at fail/);
  });

  it('ends its series when it is disposed of, and goes on to work', async () => {
    class Reader extends MetricReader {
      /** Errors by name of their log. */
      async errors(): Promise<Map<unknown, number>> {
        const sums = new Map<unknown, number>();
        for (const { metrics } of (await this.collect()).resourceMetrics.scopeMetrics) {
          for (const { descriptor, dataPoints } of metrics) {
            if (descriptor.name !== 'temper.errors') continue;
            for (const { attributes, value } of dataPoints) {
              const name = attributes['temper.policy.name'];
              sums.set(name, (sums.get(name) ?? 0) + (value as number));
            }
          }
        }
        return sums;
      }
      protected override async onForceFlush(): Promise<void> {}
      protected override async onShutdown(): Promise<void> {}
    }
    const reader = new Reader({ metricProducers: [temperMetricProducer()] });
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    try {
      const log = errorLog({ name: 'ends' });
      errorLog({ name: 'stays' }).handle(refused);
      log.handle(refused);
      log[Symbol.dispose]();
      log.handle(refused);
      expect(log.stats().total).toBe(2);
      // Exported once more, and then no longer.
      const last = await reader.errors();
      expect([last.get('ends'), last.get('stays')]).toEqual([2, 1]);
      const after = await reader.errors();
      expect([after.has('ends'), after.get('stays')]).toEqual([false, 1]);
    } finally {
      metrics.disable();
    }
  });
});

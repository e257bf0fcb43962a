import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import { BREAKER_DEFAULTS, resolveBreakerOptions } from './resolve-options.ts';
import { MemoryBreakerStore } from './shared/memory-store.ts';
import type { SharedCircuitOptions } from './shared/options.ts';
import { sharedCircuit } from './shared/shared-circuit.ts';

const bad = (options: object | (() => unknown)): string => {
  try {
    if (typeof options === 'function') options();
    else circuitBreaker(options);
  } catch (error) {
    expect(error === null || error instanceof TypeError || error instanceof RangeError).toBe(true);
    return (error as Error).message;
  }
  throw new Error(`Nothing was thrown for ${JSON.stringify(options)}.`);
};

describe('the options of a breaker', () => {
  it.each([
    [{ failureThreshold: 0 }, 'failureThreshold must be an integer >= 1, got 0.'],
    [{ failureThreshold: -1 }, 'failureThreshold must be an integer >= 1, got -1.'],
    [{ failureThreshold: 1.5 }, 'failureThreshold must be an integer >= 1, got 1.5.'],
    [{ failureThreshold: Number.NaN }, 'failureThreshold must be an integer >= 1, got NaN.'],
    [{ failureThreshold: '5' }, "failureThreshold must be an integer >= 1, got '5'."],
    [{ successThreshold: 0 }, 'successThreshold must be an integer >= 1, got 0.'],
    [{ openDurationMs: -1 }, 'openDurationMs must be a finite number >= 0, got -1.'],
    [{ openDurationMs: Number.NaN }, 'openDurationMs must be a finite number >= 0, got NaN.'],
    [{ openDurationMs: Infinity }, 'openDurationMs must be a finite number >= 0, got Infinity.'],
    [
      { openDurationMultiplier: 0.5 },
      'openDurationMultiplier must be a finite number >= 1, got 0.5.',
    ],
    [
      { openDurationMs: 500, maxOpenDurationMs: 499 },
      'maxOpenDurationMs must be a finite number >= 500, got 499.',
    ],
    [{ stableAfterMs: -1 }, 'stableAfterMs must be a number >= 0, got -1.'],
    [{ halfOpenMaxCalls: 0 }, 'halfOpenMaxCalls must be an integer >= 1, got 0.'],
    [{ halfOpenTrials: 0 }, 'halfOpenTrials must be an integer from 1 to 1000000, got 0.'],
    [{ halfOpenTrials: 1.5 }, 'halfOpenTrials must be an integer from 1 to 1000000, got 1.5.'],
    [
      { halfOpenTrials: 5, halfOpenMaxFailureRate: 1.1 },
      'halfOpenMaxFailureRate must be a number from 0 to 1, got 1.1.',
    ],
    [{ halfOpenMaxFailureRate: 0.1 }, 'halfOpenMaxFailureRate needs halfOpenTrials.'],
    [
      { halfOpenTrials: 5, successThreshold: 2 },
      'successThreshold does not go with halfOpenTrials; use halfOpenMaxFailureRate.',
    ],
    [
      { halfOpenTrials: 5, shared: sharedCircuit({ store: new MemoryBreakerStore() }) },
      'halfOpenTrials does not go with shared: the fleet judges each trial by itself.',
    ],
    [
      { halfOpenMaxWaitMs: 5, shared: sharedCircuit({ store: new MemoryBreakerStore() }) },
      'halfOpenMaxWaitMs does not go with shared: the fleet runs one trial at a time.',
    ],
    [{ halfOpenMaxWaitMs: -1 }, 'halfOpenMaxWaitMs must be a finite number >= 0, got -1.'],
    [
      { halfOpenMaxWaitMs: Infinity },
      'halfOpenMaxWaitMs must be a finite number >= 0, got Infinity.',
    ],
    [{ halfOpenMaxDurationMs: 0 }, 'halfOpenMaxDurationMs must be a finite number > 0, got 0.'],
    [
      { halfOpenMaxDurationMs: Infinity },
      'halfOpenMaxDurationMs must be a finite number > 0, got Infinity.',
    ],
    [{ window: 5 }, 'window must be an object, got 5.'],
    [{ window: { calls: 0 } }, 'window.calls must be an integer from 1 to 1000000, got 0.'],
    [{ window: { durationMs: 5 } }, 'window.durationMs must be a finite number >= 10, got 5.'],
    [
      { window: { durationMs: 100, buckets: 1 } },
      'window.buckets must be an integer from 2 to 1000, got 1.',
    ],
    [
      { window: { calls: 5 }, failureRateThreshold: 0 },
      'failureRateThreshold must be a number > 0 and <= 1, got 0.',
    ],
    [
      { window: { calls: 5 }, failureRateThreshold: 50 },
      'failureRateThreshold must be a number > 0 and <= 1, got 50.',
    ],
    [
      { window: { calls: 5 }, minimumThroughput: 6 },
      'minimumThroughput must be an integer from 1 to 5, got 6.',
    ],
    [
      { window: { calls: 5 }, slowCallDurationMs: 0 },
      'slowCallDurationMs must be a finite number > 0, got 0.',
    ],
    [{ respectRetryAfter: 1 }, 'respectRetryAfter must be a boolean, got 1.'],
    [{ shouldHandle: true }, 'shouldHandle must be a function, got true.'],
    [{ shared: {} }, 'shared.join must be a function, got undefined.'],
    [{ mode: 'off' }, "mode must be one of 'enabled', 'metrics-only', 'disabled', got 'off'."],
    [{ spans: 'some' }, "spans must be one of 'all', 'failures', 'none', got 'some'."],
    [
      { name: '' },
      "name must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
  ])('%o: %s', (options, message) => {
    expect(bad(options)).toBe(`circuitBreaker: ${message}`);
  });

  it('refuses unknown options and lists the known ones', () => {
    expect(bad({ treshold: 3 })).toMatch(/^circuitBreaker: unknown option 'treshold'; known are /);
    expect(bad({ window: { calls: 3, size: 3 } })).toContain("window: unknown option 'size'");
    expect(bad({ window: {} })).toContain('window.durationMs must be a finite number >= 10');
  });

  it.each([
    [{ failureRateThreshold: 0.5 }, 'failureRateThreshold needs a window.'],
    [{ slowCallDurationMs: 100 }, 'slowCallDurationMs needs a window.'],
    [{ minimumThroughput: 3 }, 'minimumThroughput needs a window.'],
    [
      { window: { calls: 3 }, failureThreshold: 3 },
      'failureThreshold does not go with a window; use failureRateThreshold.',
    ],
    [
      { window: { calls: 3 }, slowCallRateThreshold: 0.5 },
      'slowCallRateThreshold needs slowCallDurationMs.',
    ],
    [
      { openDurationMs: () => 1, openDurationMultiplier: 2 },
      'openDurationMultiplier has no effect when openDurationMs is a function.',
    ],
  ])('refuses options that would have no effect: %o', (options, message) => {
    expect(bad(options)).toBe(`circuitBreaker: ${message}`);
  });

  it.each([
    [{ store: 5 }, 'store must be an object, got 5.'],
    [{ store: {} }, 'store.report must be a function, got undefined.'],
    [{ quorum: 1 }, 'quorum must be below 1, as more than that share has to be open.'],
    [{ quorum: -0.1 }, 'quorum must be a number from 0 to 1, got -0.1.'],
    [{ minimumNodes: 0 }, 'minimumNodes must be an integer >= 1, got 0.'],
    [{ node: '' }, 'name must be a non-empty string'],
    [{ reportIntervalMs: 0 }, 'reportIntervalMs must be a finite number > 0, got 0.'],
    [{ nodeTtlMs: 5 }, 'nodeTtlMs must be a finite number >= 1000, got 5.'],
    [{ timeoutMs: 0 }, 'timeoutMs must be a finite number > 0, got 0.'],
    [{ nodes: 3 }, "unknown option 'nodes'; known are "],
  ])('holds the options of a shared circuit to their ranges: %o', (shared, message) => {
    const options = { store: new MemoryBreakerStore(), ...shared } as SharedCircuitOptions;
    expect(bad(() => sharedCircuit(options))).toContain(`sharedCircuit: ${message}`);
    expect(bad(() => sharedCircuit({} as SharedCircuitOptions))).toContain('store must be');
  });

  it('treats undefined as absent', () => {
    const options = Object.fromEntries(
      [...Object.keys(BREAKER_DEFAULTS), 'window', 'shared', 'shouldHandle'].map((key) => [
        key,
        undefined,
      ]),
    );
    expect(resolveBreakerOptions(options)).toEqual(BREAKER_DEFAULTS);
  });

  it('lets a longer open duration raise the default cap, and a small window lower the throughput', () => {
    expect(resolveBreakerOptions({ openDurationMs: 3_600_000 }).maxOpenDurationMs).toBe(3_600_000);
    expect(resolveBreakerOptions({ window: { calls: 4 } }).minimumThroughput).toBe(4);
  });

  it('names the option in the message, whatever the value is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(BREAKER_DEFAULTS)),
        fc.anything(),
        (key, value) => {
          try {
            circuitBreaker({ [key]: value });
          } catch (error) {
            expect((error as Error).message).toMatch(
              new RegExp(`^circuitBreaker: ${key}[ .]|needs a window|needs slowCallDurationMs`),
            );
          }
        },
      ),
    );
  });
});

import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import { MemoryBreakerStore } from './shared/memory-store.ts';
import { sharedCircuit } from './shared/shared-circuit.ts';

const clock = new ManualClock();
const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(new Error('boom'));

describe('null and other values of the wrong type', () => {
  const make = (): ReturnType<typeof circuitBreaker> => circuitBreaker({ clock });

  it.each<[string, (wrong: never) => unknown]>([
    ['the options of a breaker', (wrong) => circuitBreaker(wrong)],
    ['the options of a shared circuit', (wrong) => sharedCircuit(wrong)],
    ['a listener of changes', (wrong) => make().onStateChange(wrong)],
    [
      'a listener of errors of the store',
      (wrong) => sharedCircuit({ store: new MemoryBreakerStore(clock) }).onStoreError(wrong),
    ],
    ['a snapshot', (wrong) => make().restore(wrong)],
    ['a mode', (wrong) => Object.assign(make(), { mode: wrong })],
    ['an open duration', (wrong) => make().forceOpen(wrong)],
    ['a function to wrap', (wrong) => make().wrap(wrong)],
  ])('are refused as %s with a TypeError that names them', (_what, act) => {
    for (const wrong of [null, 'text', true, Symbol('wrong')]) {
      expect(() => act(wrong as never)).toThrow(TypeError);
      expect(() => act(wrong as never)).toThrow(/: .* must be |: .* needs /);
    }
  });

  const OPTIONS = Object.keys({
    ...{ name: 1, failureThreshold: 1, window: 1, failureRateThreshold: 1, slowCallDurationMs: 1 },
    ...{ slowCallRateThreshold: 1, minimumThroughput: 1, openDurationMs: 1, stableAfterMs: 1 },
    ...{ openDurationMultiplier: 1, maxOpenDurationMs: 1, respectRetryAfter: 1, spans: 1 },
    ...{ successThreshold: 1, halfOpenTrials: 1, halfOpenMaxFailureRate: 1, halfOpenMaxCalls: 1 },
    ...{ halfOpenMaxDurationMs: 1, halfOpenMaxWaitMs: 1, shouldHandle: 1, mode: 1, clock: 1 },
    ...{ errorStack: 1, shared: 1, onStateChange: 1 },
  });

  it.each(OPTIONS)('are refused as the option %s', (option) => {
    expect(() => circuitBreaker({ [option]: null })).toThrow(`circuitBreaker: ${option} must be`);
    expect(() => circuitBreaker({ [option]: undefined })).not.toThrow();
  });

  it.each([
    ['no function', undefined, {}],
    ['null as operation', null, {}],
    ['null as options', ok, null],
    ['null as signal', ok, { signal: null }],
    ['null as timeoutMs', ok, { timeoutMs: null }],
    ['null as parent', ok, { parent: null }],
  ])(
    'are refused in a call (%s), in every state of the circuit',
    async (_what, operation, options) => {
      const breaker = circuitBreaker({ clock, failureThreshold: 1 });
      const refused = async (): Promise<void> => {
        const outcome = await breaker.tryExecute(operation as never, options as never);
        expect(outcome).toMatchObject({ ok: false, error: expect.any(TypeError) });
        await expect(breaker.execute(operation as never, options as never)).rejects.toBeInstanceOf(
          TypeError,
        );
      };
      await refused();
      await breaker.tryExecute(fail);
      await refused();
      clock.jump(60_000);
      await refused();
      expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 0 } });
      breaker.isolate();
      await refused();
    },
  );
});

describe('an application that has frozen the intrinsics', () => {
  it('sees the same rejections', async () => {
    const before = Error.stackTraceLimit;
    for (const intrinsic of [Error, Error.prototype, Promise, Promise.prototype, Array.prototype]) {
      Object.freeze(intrinsic);
    }
    const breaker = circuitBreaker({ clock, name: 'frozen', failureThreshold: 1 });
    await breaker.tryExecute(fail);
    const outcome = await breaker.tryExecute(ok);
    expect(outcome).toMatchObject({ error: { code: 'CIRCUIT_OPEN', name: 'CircuitOpenError' } });
    await expect(breaker.execute(ok)).rejects.toMatchObject({
      message: expect.stringMatching(/boom$/),
    });
    clock.jump(60_000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(await breaker.execute(ok)).toBe('ok');
    await settle();
    expect(breaker.state).toBe('closed');
    expect(Error.stackTraceLimit).toBe(before);
  });
});

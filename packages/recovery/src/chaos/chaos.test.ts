import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { ChaosFaultError } from '../errors.ts';
import { chaos } from './chaos.ts';

const always = { rate: 1 } as const;

describe('chaos', () => {
  it('does nothing unless enabled', async () => {
    const policy = chaos({ fault: always, result: { rate: 1, value: () => 'wrong' } });
    await expect(policy.execute(async () => 'right')).resolves.toBe('right');
    expect(policy.stats()).toEqual({
      enabled: false,
      calls: 1,
      injections: { fault: 0, latency: 0, result: 0 },
    });
  });

  it('calls the function enabled for every call', async () => {
    let on = false;
    const policy = chaos({ enabled: () => on, fault: always });
    await expect(policy.execute(async () => 1)).resolves.toBe(1);
    on = true;
    await expect(policy.execute(async () => 1)).rejects.toBeInstanceOf(ChaosFaultError);
    on = false;
    await expect(policy.execute(async () => 1)).resolves.toBe(1);
  });

  it('injects nothing when enabled throws or returns a promise', async () => {
    const enabled = (): never => {
      throw new Error('switch');
    };
    await expect(chaos({ enabled, fault: always }).execute(async () => 1)).resolves.toBe(1);
    const promised = { enabled: (async () => true) as never, fault: always };
    await expect(chaos(promised).execute(async () => 1)).resolves.toBe(1);
  });

  it('rejects in place of the operation, which is not called', async () => {
    const operation = vi.fn(async () => 1);
    const policy = chaos({ name: 'drill', enabled: true, fault: always });
    await expect(policy.execute(operation)).rejects.toMatchObject({
      code: 'CHAOS_FAULT',
      policy: 'drill',
      classification: { transient: true },
    });
    const own = new RangeError('own');
    const other = chaos({ enabled: true, fault: { rate: 1, error: () => own } });
    await expect(other.execute(operation)).rejects.toBe(own);
    for (const error of [async () => own, () => Promise.reject(own)]) {
      const later = chaos({ enabled: true, fault: { rate: 1, error } });
      await expect(later.execute(operation)).rejects.toBe(own);
    }
    expect(operation).not.toHaveBeenCalled();
  });

  it('resolves in place of the operation, which is not called', async () => {
    const operation = vi.fn(async () => 1);
    const policy = chaos({ enabled: true, result: { rate: 1, value: () => 2 } });
    await expect(policy.execute(operation)).resolves.toBe(2);
    expect(operation).not.toHaveBeenCalled();
  });

  it('delays the operation by a fixed or computed time', async () => {
    for (const delayMs of [300, () => 300]) {
      const clock = new ManualClock();
      const policy = chaos({ enabled: true, latency: { rate: 1, delayMs }, clock });
      const before = clock.monotonic();
      await clock.runUntil(policy.execute(async () => 1));
      expect(clock.monotonic() - before).toBe(300);
    }
  });

  it('does not wait when the computed delay is not a number, or throws', async () => {
    const throws = (): never => {
      throw new Error('delay');
    };
    for (const delayMs of [() => Number.NaN, throws]) {
      const policy = chaos({ enabled: true, latency: { rate: 1, delayMs } });
      await expect(policy.execute(async () => 1)).resolves.toBe(1);
    }
  });

  it('ends its delay on abort', async () => {
    const clock = new ManualClock();
    const policy = chaos({ enabled: true, latency: { rate: 1, delayMs: 300 }, clock });
    const controller = new AbortController();
    const call = policy.execute(async () => 1, { signal: controller.signal });
    const outcome = expect(call).rejects.toBe('enough');
    controller.abort('enough');
    await outcome;
    expect(clock.pending).toBe(0);
  });

  it('injects into the configured share of calls', async () => {
    const policy = chaos({ enabled: true, fault: { rate: 0.25 }, random: seededRandom(7) });
    for (let i = 0; i < 4000; i++) await policy.tryExecute(async () => 1);
    const { injections, calls } = policy.stats();
    expect(calls).toBe(4000);
    expect(injections.fault / calls).toBeCloseTo(0.25, 1);
    const edge = { enabled: true, fault: { rate: 0.25 } };
    await expect(chaos({ ...edge, random: () => 0.25 }).execute(async () => 1)).resolves.toBe(1);
    await expect(chaos({ ...edge, random: () => 0.249 }).execute(async () => 1)).rejects.toThrow();
    const never = chaos({ enabled: true, fault: { rate: 0 }, random: () => 0 });
    await expect(never.execute(async () => 1)).resolves.toBe(1);
  });

  it.each([
    [{ enabled: 1 as never }, 'chaos: enabled must be a boolean or a function, got 1.'],
    [{ fault: { rate: 2 } }, 'chaos: fault.rate must be a number from 0 to 1, got 2.'],
    [{ fault: { rate: Number.NaN } }, 'chaos: fault.rate must be a number from 0 to 1, got NaN.'],
    [
      { latency: { rate: 1, delayMs: -1 } },
      'chaos: latency.delayMs must be a finite number >= 0, got -1.',
    ],
    [{ result: { rate: 1 } as never }, 'chaos: result.value must be a function, got undefined.'],
    [{ fault: { rate: 1, odds: 1 } as never }, "chaos: fault: unknown option 'odds'"],
    [{ rate: 1 } as never, "chaos: unknown option 'rate'"],
  ])('refuses %o', (options, message) => {
    expect(() => chaos(options)).toThrow(message);
  });

  it.each([true, false])(
    'follows a patched promise as await does, enabled: %s',
    async (enabled) => {
      const patched = Object.assign(Promise.resolve('value'), {
        // biome-ignore lint/suspicious/noThenProperty: as libraries patch promises
        then: () => {
          throw new Error('patched');
        },
      });
      await expect(chaos({ enabled }).execute(() => patched)).resolves.toBe('value');
    },
  );

  it('describes itself to composers', () => {
    expect(chaos().describe()).toEqual({ kind: 'chaos' });
  });
});

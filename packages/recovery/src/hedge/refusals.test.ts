import { TemperError } from '@temper/core';
import { describe, expect, it } from 'vitest';
import { busy, make, scripted } from '../../test/hedged.ts';

describe('a refusal by a policy inside', () => {
  class Refused extends TemperError {
    constructor() {
      super('refused', { code: 'REFUSED', policy: 'p' });
    }
    override get refused(): boolean {
      return true;
    }
    override get classification(): { category: 'resource'; severity: 'low'; transient: boolean } {
      return { category: 'resource', severity: 'low', transient: false };
    }
  }

  it('does not end an attempt that is running', async () => {
    const { clock, policy } = make();
    const { operation, signals } = scripted(
      clock,
      { ms: 300, value: 'first' },
      { ms: 1, error: new Refused() },
    );
    await expect(clock.runUntil(policy.execute(operation))).resolves.toBe('first');
    expect(signals[0]?.aborted).toBe(false);
    expect(policy.stats().calls).toMatchObject({ success: 1, failure: 0 });
  });

  it('is not the cause when another attempt failed with an answer of the dependency', async () => {
    const { clock, policy } = make();
    const own = busy();
    const { operation } = scripted(clock, { ms: 300, error: own }, { ms: 1, error: new Refused() });
    const failed = await clock.runUntil(policy.tryExecute(operation));
    expect(failed).toMatchObject({ ok: false, error: { code: 'HEDGE_FAILED', cause: own } });
  });

  it('is not the cause either when it came later', async () => {
    const { clock, policy } = make();
    const own = busy();
    const { operation } = scripted(clock, { ms: 10, error: own }, { ms: 1, error: new Refused() });
    const failed = await clock.runUntil(policy.tryExecute(operation));
    expect((failed as { error: Error }).error.cause).toBe(own);
  });

  it('is what the call rejects with when all attempts were refused', async () => {
    const { clock, policy } = make({ shouldHandle: ({ ok }) => !ok });
    const first = new Refused();
    const { operation } = scripted(clock, { ms: 1, error: first }, { ms: 1, error: new Refused() });
    await expect(clock.runUntil(policy.execute(operation))).rejects.toBe(first);
  });
});

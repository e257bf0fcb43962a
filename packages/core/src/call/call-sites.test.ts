import { ManualClock } from '@temper/testkit/clock';
import { afterEach, describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallContext } from '../contract.ts';
import { OperationTimeoutError, TemperError } from '../errors.ts';
import { traceCalls } from './call-sites.ts';

afterEach(() => traceCalls(false));

async function stackOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return (error as Error).stack as string;
  }
  throw new Error('It resolved.');
}
const policy = new ThroughPolicy(new ManualClock());
const refuse = (): never => {
  throw new TemperError('Full.', { code: 'FULL', policy: 'through' });
};
function fetchUser(options?: object): Promise<unknown> {
  return policy.execute(refuse, options);
}

describe('traceCalls', () => {
  it.each([undefined, { timeoutMs: 50 }, { signal: new AbortController().signal }])(
    'adds the stack of the call to a Temper error, with options %o',
    async (options) => {
      expect(await stackOf(fetchUser(options))).toBe('TemperError: Full.');
      traceCalls(true);
      const stack = await stackOf(fetchUser(options));
      expect(stack).toMatch(/^TemperError: Full\.\n\s+at /);
      expect(stack).toContain('fetchUser');
    },
  );

  it('shows the innermost of nested calls once', async () => {
    traceCalls(true);
    const stack = await stackOf(
      policy.execute((parent: CallContext) => fetchUser({ parent, timeoutMs: 50 })),
    );
    expect(stack.match(/at fetchUser/g)).toHaveLength(1);
  });

  it('shows the call of an error that a timer created', async () => {
    traceCalls(true);
    const clock = new ManualClock();
    async function slow(): Promise<unknown> {
      return new ThroughPolicy(clock).execute(() => new Promise(() => {}), { timeoutMs: 10 });
    }
    const stack = stackOf(slow());
    await clock.advance(10);
    expect(await stack).toContain('slow');
  });

  it('leaves other errors, and those that cannot be changed, as they are', async () => {
    traceCalls(true);
    const plain = new Error('plain');
    const { stack } = plain;
    const fails = (error: unknown): Promise<unknown> =>
      policy.tryExecute(() => {
        throw error;
      });
    expect(await fails(plain)).toEqual({ ok: false, error: plain });
    expect(plain.stack).toBe(stack);
    const frozen = Object.freeze(new OperationTimeoutError('p', 5));
    expect(await fails(frozen)).toEqual({ ok: false, error: frozen });
    expect(await fails(undefined)).toEqual({ ok: false, error: undefined });
  });
});

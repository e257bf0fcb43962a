import type { CallContext, Operation, Policy } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { type PipelinesOptions, pipelines } from './pipelines.ts';

function make(options: PipelinesOptions = {}) {
  const clock = new ManualClock();
  return { clock, registry: pipelines({ clock, ...options }) };
}

describe('a named pipeline', () => {
  it('returns the result of a call whatever the dispose of a replaced policy throws', async () => {
    const { clock, registry } = make({
      kinds: {
        part: () => ({
          execute: async <T>(operation: Operation<T>): Promise<T> => operation(undefined as never),
          [Symbol.dispose]() {
            throw new Error('dispose');
          },
        }),
      },
    });
    const policy = registry.define('p', [{ part: {} }]);
    const call = policy.execute(async () => {
      await clock.sleep(10);
      return 'value';
    });
    registry.reload('p', []);
    await expect(clock.runUntil(call)).resolves.toBe('value');
    registry.define('q', [{ part: {} }]);
    expect(() => registry[Symbol.dispose]()).not.toThrow();
  });

  it('passes the options of a call on, and joins a call under way', async () => {
    const { registry } = make({
      kinds: { retry },
      define: { p: [{ timeout: {} }, { retry: {} }] },
    });
    const policy = registry.get('p') as Policy;
    const see = async ({ key, cost, priority }: CallContext) => [key, cost, priority];
    const options = { key: 'tenant', cost: 3, priority: 'critical' } as const;
    await expect(policy.execute(see, options)).resolves.toEqual(['tenant', 3, 'critical']);
    const joined = policy.execute((parent) => policy.execute(see, { parent, cost: 4 }), options);
    await expect(joined).resolves.toEqual(['tenant', 4, 'critical']);
    await expect(policy.execute(see, { costs: 1 } as never)).rejects.toThrow(
      "unknown call option 'costs'",
    );
  });

  it('takes retry and breaker as kinds, that is, as values', () => {
    expect(() => make({ define: { p: [{ retry: {} }] } })).toThrow(
      "pipeline 'p': layer 0 has the unknown kind 'retry'; known are timeout, hedge, fallback, cached, chaos. Pass others as the option kinds.",
    );
  });

  it.each([
    ['a kind', (hostile: string) => make().registry.define('p', [{ [hostile]: {} }])],
    ['a name to reload', (hostile: string) => make().registry.reload(hostile, [])],
    ['a name', (hostile: string) => make({ define: { [hostile]: [] } })],
  ])('has messages that quote %s bounded and scrubbed', (_, refused) => {
    const hostile = `\u001b[31m${'x'.repeat(10_000)}`;
    try {
      refused(hostile);
      expect.unreachable();
    } catch (error) {
      const { message } = error as Error;
      expect(message).toContain('xxx');
      expect(message.length).toBeLessThan(400);
      expect(message).not.toContain('\u001b');
    }
  });
});

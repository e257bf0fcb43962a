import { RateLimitExceededError } from '@temper/ratelimit';
import { pipeline } from '@temper/recovery';
import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { fakeSubsystems, hardened } from '../test/subsystems.ts';
import { parserCraftHardening } from './index.ts';

const down = (): never => {
  throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
};

describe('a stale package', () => {
  it.each([
    ['p', '^1', 'ann', 'p', '^1', 'bob'],
    ['p', '^1', 'ann', 'p', '^1', undefined],
    ['p', '^1', undefined, 'p', '^1', 'ann'],
    ['a@b', 'c', undefined, 'a', 'b@c', undefined],
  ] as const)(
    'of %s, %s and key %s is not given for %s, %s and key %s',
    async (name, range, key, otherName, otherRange, otherKey) => {
      const { script, made, clock } = hardened();
      script.fetch = (context) => `for ${context.key}`;
      await made.registry.fetchPackage(name, range, { key });
      script.fetch = down;
      const other = made.registry.fetchPackage(otherName, otherRange, { key: otherKey });
      const outcome = other.catch((error: unknown) => error);
      await clock.advance(10_000);
      expect(await outcome).toMatchObject({ code: 'ECONNREFUSED' });
      const own = made.registry.fetchPackage(name, range, { key });
      await clock.advance(10_000);
      expect(await own).toMatchObject({ value: `for ${key}`, degraded: { by: 'stale' } });
    },
  );

  it('is given to other keys by a registry whose packages are public', async () => {
    const { subsystems, script } = fakeSubsystems();
    const clock = new ManualClock();
    const registry = { ...subsystems.registry, isPublic: true };
    const made = parserCraftHardening({ ...subsystems, registry }, { clock });
    script.fetch = (context) => `for ${context.key}`;
    await made.registry.fetchPackage('p', '^1', { key: 'ann' });
    script.fetch = down;
    const others = ['bob', undefined].map((key) => made.registry.fetchPackage('p', '^1', { key }));
    await clock.advance(10_000);
    const stale = { value: 'for ann', degraded: { by: 'stale' } };
    expect(await Promise.all(others)).toMatchObject([stale, stale]);
  });

  it('belongs to the key of the parent call where the call has none', async () => {
    const { script, made, clock } = hardened();
    const ask = (key: string) =>
      pipeline({ clock }).tryExecute(
        (parent) => made.registry.fetchPackage('p', '^1', { parent }),
        { key },
      );
    script.fetch = (context) => `for ${context.key}`;
    await ask('ann');
    script.fetch = down;
    const [ann, bob] = [ask('ann'), ask('bob')];
    await clock.advance(10_000);
    expect(await ann).toMatchObject({ ok: true, value: { value: 'for ann' } });
    expect(await bob).toMatchObject({ ok: false, error: { code: 'ECONNREFUSED' } });
  });

  it('is the answer to the latest question, not the one that came last', async () => {
    const { script, made, clock } = hardened();
    const answers: ((value: string) => void)[] = [];
    script.fetch = () => new Promise((resolve) => answers.push(resolve));
    const [first, second] = [1, 2].map(() => made.registry.fetchPackage('p', '^1'));
    await settle();
    answers[1]?.('new');
    await second;
    answers[0]?.('old');
    await first;
    script.fetch = down;
    const stale = made.registry.fetchPackage('p', '^1');
    await clock.advance(10_000);
    expect((await stale).value).toBe('new');
  });

  it.each([401, 403, 404])(
    'is not given to a caller whom the registry answers %i',
    async (status) => {
      const { script, made } = hardened();
      await made.registry.fetchPackage('p', '^1');
      script.fetch = () => {
        throw Object.assign(new Error('refused'), { status });
      };
      for (let i = 0; i < 10; i++) {
        await expect(made.registry.fetchPackage('p', '^1')).rejects.toMatchObject({ status });
      }
      expect(made.policies.breakers.registry_fetch.stats()).toMatchObject({
        state: 'closed',
        calls: { failure: 0, ignored: 10 },
      });
    },
  );

  it('is given when the registry answers with something else than JSON', async () => {
    const { script, made, clock } = hardened();
    await made.registry.fetchPackage('p', '^1');
    script.fetch = async () => JSON.parse('<html>');
    for (let i = 0; i < 5; i++) {
      const answer = made.registry.fetchPackage('p', '^1');
      await clock.advance(10_000);
      expect((await answer).degraded?.by).toBe('stale');
    }
    expect(made.policies.breakers.registry_fetch.state).toBe('open');
  });

  it('is given when a limiter of the registry client itself refuses', async () => {
    const { script, made, clock, ended } = hardened();
    await made.registry.fetchPackage('p', '^1');
    script.fetch = () => {
      const exceeded = { reason: 'limit', limit: 1, remaining: 0, cost: 1 } as const;
      throw new RateLimitExceededError('client', { ...exceeded, retryAfterMs: 1e9 });
    };
    const answer = made.registry.fetchPackage('p', '^1');
    await clock.advance(10_000);
    expect((await answer).degraded?.by).toBe('stale');
    expect(ended.at(-1)?.status).toBe('degraded');
  });
});

it('a last good answer is asked for with the key of the call', async () => {
  const { script, made } = hardened();
  script.request = down;
  script.lastGood = (method, params, key) => ({ method, params, key });
  const { value } = await made.lsp.request('hover', { line: 1 }, { key: 'ann' });
  expect(value).toEqual({ method: 'hover', params: { line: 1 }, key: 'ann' });
});

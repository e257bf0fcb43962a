import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { healthFetch } from './http/fetch-handler.ts';
import { healthMonitor } from './monitor.ts';

const never = (): Promise<never> => new Promise(() => {});

/** A check that answers at once, unless told to hang. */
function switchable() {
  const state = { hangs: false, healthy: true };
  return { state, check: () => (state.hangs ? never() : state.healthy) };
}

describe('the budget of a probe', () => {
  it('answers with the fresh result while a background probe is under way', async () => {
    const clock = new ManualClock();
    const { state, check } = switchable();
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check }] });
    using _ = monitor.start();
    await settle();
    state.hangs = true;
    await clock.advance(11_000); // the next probe has begun
    const report = await monitor.readiness(); // without any time passing
    expect(report).toMatchObject({
      status: 'healthy',
      checks: [{ name: 'db', status: 'healthy' }],
    });
    expect(report.checks[0]?.ageMs).toBeGreaterThanOrEqual(10_000 * 0.9);
  });

  it.each([
    { critical: true, failureStatus: 'unhealthy' as const, status: 'unhealthy' },
    { critical: true, failureStatus: 'degraded' as const, status: 'degraded' },
    { critical: false, failureStatus: 'unhealthy' as const, status: 'degraded' },
  ])(
    'counts an unknown check as $status: critical $critical, failureStatus $failureStatus',
    async ({ status, ...options }) => {
      const clock = new ManualClock();
      const monitor = healthMonitor({ clock, checks: [{ name: 'db', check: never, ...options }] });
      for (const probe of ['readiness', 'check'] as const) {
        const asked = monitor[probe]({ budgetMs: 500 });
        await clock.advance(500);
        const report = await asked;
        expect(report.status).toBe(status);
        expect(report.checks[0]).toMatchObject({
          status: options.failureStatus,
          message: 'no result within 500 ms',
        });
        expect(report.checks[0]).not.toHaveProperty('ageMs');
      }
      expect(monitor.stats().unknown).toEqual(['db']); // waiting is no result
      expect(monitor.history('db')).toEqual([]);
    },
  );

  it('waits neither longer nor shorter for a check than it takes', async () => {
    const clock = new ManualClock();
    const slow = async () => clock.sleep(300);
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check: slow }] });
    const asked = monitor.readiness();
    await clock.advance(299);
    await expect(Promise.race([asked, 'waiting'])).resolves.toBe('waiting');
    await clock.advance(1);
    expect((await asked).status).toBe('healthy');
    expect(clock.pending).toBe(0);
  });

  it('answers from the last result, as long as a background probe could not be newer', async () => {
    const clock = new ManualClock();
    const { state, check } = switchable();
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check, timeoutMs: 1000 }] });
    await monitor.readiness();
    state.hangs = true;
    await clock.advance(11_000);
    const asked = monitor.readiness();
    await clock.advance(500);
    expect(await asked).toMatchObject({ status: 'healthy', checks: [{ ageMs: 11_500 }] });
    await clock.advance(500); // the probe times out, which is a result
    expect((await monitor.readiness()).status).toBe('unhealthy');
  });

  it('does not take a result of long ago for the present state', async () => {
    const clock = new ManualClock();
    const { state, check } = switchable();
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check }] });
    await monitor.readiness();
    state.hangs = true;
    await clock.advance(60_000);
    const asked = monitor.readiness();
    await clock.advance(500);
    expect(await asked).toMatchObject({ status: 'unhealthy' });
  });

  it('does not apply to `fresh`, to `check()`, and with Infinity', async () => {
    const clock = new ManualClock();
    const slow = async () => clock.sleep(3000);
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check: slow }] });
    for (const ask of [
      () => monitor.readiness({ fresh: true }),
      () => monitor.check(),
      () => monitor.readiness({ budgetMs: Number.POSITIVE_INFINITY }),
      () => monitor.getHealthSummary(),
    ]) {
      await clock.advance(60_000);
      const asked = ask();
      await clock.advance(2999);
      await expect(Promise.race([asked, 'waiting'])).resolves.toBe('waiting');
      await clock.advance(1);
      expect((await asked).status).toBe('healthy');
    }
  });

  it('lets a check ask its own monitor, and two checks ask each other', async () => {
    const clock = new ManualClock();
    const starts = { a: 0, b: 0 };
    const monitor = healthMonitor({ clock, timeoutMs: 2000 });
    for (const name of ['a', 'b'] as const) {
      monitor.register({
        name,
        check: async () => {
          starts[name]++;
          return (await monitor.readiness()).status !== undefined;
        },
      });
    }
    const asked = monitor.readiness();
    await clock.advance(500);
    await asked;
    expect(starts).toEqual({ a: 1, b: 1 });
    await clock.advance(0);
    expect((await monitor.readiness()).status).toBe('healthy'); // both got an answer in time
  });

  it('tells the age over HTTP, of the oldest check that counts', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    const monitor = healthMonitor({
      clock,
      refreshJitter: 0,
      checks: [
        { name: 'db', check, refreshMs: 60_000 },
        { name: 'cache', check, refreshMs: 5000 },
      ],
    });
    using _ = monitor.start();
    await clock.advance(42_500);
    const ask = async (query: string) => {
      const answer = await healthFetch(monitor, { details: 'always' })(
        new Request(`http://svc/readyz?${query}`),
      );
      return [answer?.headers.get('age'), (await answer?.text())?.split('\n').slice(0, 2)];
    };
    expect(await ask('verbose')).toEqual(['42', ['[+]db ok (42 s ago)', '[+]cache ok (2 s ago)']]);
    expect((await ask('verbose&exclude=db'))[0]).toBe('2');
  });
});

describe('start()', () => {
  it('runs until everybody who started it has stopped it', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', check }] });
    const [one, other] = [monitor.start(), monitor.start()];
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    await clock.advance(60_000);
    expect(check.mock.calls.length).toBeGreaterThan(5);
    other[Symbol.dispose]();
    const before = check.mock.calls.length;
    await clock.advance(60_000);
    expect(check).toHaveBeenCalledTimes(before);
    expect(clock.pending).toBe(0);
  });
});

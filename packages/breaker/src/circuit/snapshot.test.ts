import { ManualClock } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { BreakerSnapshot, CircuitBreaker } from '../contract.ts';
import type { CircuitBreakerOptions } from '../options.ts';

const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(new Error('boom'));

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await breaker.execute(fail).catch(() => undefined);
}

/** Restores it as a new process would: the monotonic clock starts at zero, the wall clock has gone on. */
function revive(
  snapshot: BreakerSnapshot,
  elapsedMs: number,
  options: CircuitBreakerOptions = {},
): { breaker: CircuitBreaker; later: ManualClock } {
  const later = new ManualClock(clock.now() + elapsedMs);
  const breaker = circuitBreaker({ clock: later, ...options });
  breaker.restore(JSON.parse(JSON.stringify(snapshot)));
  return { breaker, later };
}

describe('a snapshot', () => {
  it('keeps failures in a row over a restart', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 4);
    const { breaker: revived } = revive(breaker.snapshot(), 1000);
    await failTimes(revived, 1);
    expect(revived.state).toBe('open');
  });

  it('keeps the rest of the open time, less the time that has passed', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 5);
    clock.jump(10_000);
    const { breaker: revived, later } = revive(breaker.snapshot(), 20_000);
    expect(revived.stats()).toMatchObject({ state: 'open', retryAfterMs: 30_000, openings: 1 });
    later.jump(30_000);
    expect(revived.state).toBe('half-open');
  });

  it('does not open longer after the wall clock was set back', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 5);
    const { breaker: revived } = revive(breaker.snapshot(), -86_400_000);
    expect(revived.stats().retryAfterMs).toBe(60_000);
  });

  it('keeps the successes of a half-open circuit, but no trials of another process', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 5);
    clock.jump(60_000);
    await breaker.execute(ok);
    void breaker.execute(() => new Promise(() => undefined));
    const { breaker: revived } = revive(breaker.snapshot(), 0);
    expect(revived.stats().trials).toEqual({ running: 0, successes: 1, failures: 0 });
    await revived.execute(ok);
    expect(revived.state).toBe('closed');
  });

  it('leaves the trials that are running in the same process their places and results', async () => {
    const breaker = circuitBreaker({ clock, halfOpenMaxCalls: 2 });
    await failTimes(breaker, 5);
    clock.jump(60_000);
    const trials = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const running = trials.map(({ promise }) => breaker.execute(() => promise));
    breaker.restore(breaker.snapshot());
    expect(breaker.stats().trials.running).toBe(2);
    expect(await breaker.tryExecute(ok)).toMatchObject({ ok: false });
    for (const { resolve } of trials) resolve('ok');
    await Promise.all(running);
    expect(breaker.state).toBe('closed');
  });

  it('lets a trial that is running time out as before', async () => {
    const breaker = circuitBreaker({ clock, halfOpenMaxDurationMs: 1000 });
    await failTimes(breaker, 5);
    clock.jump(60_000);
    void breaker.execute(() => new Promise(() => undefined));
    clock.jump(999);
    breaker.restore(breaker.snapshot());
    expect(breaker.state).toBe('half-open');
    clock.jump(1);
    expect(breaker.state).toBe('open');
  });

  it('keeps the openings in a row, and how long the circuit has been closed', async () => {
    const growing = { openDurationMs: 1000, openDurationMultiplier: 2 };
    const breaker = circuitBreaker({ clock, ...growing });
    await failTimes(breaker, 5);
    clock.jump(1000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    clock.jump(400);
    const snapshot = breaker.snapshot();
    const soon = revive(snapshot, 599, growing).breaker;
    await failTimes(soon, 5);
    expect(soon.stats().retryAfterMs).toBe(2000);
    const later = revive(snapshot, 600, growing).breaker;
    await failTimes(later, 5);
    expect(later.stats().retryAfterMs).toBe(1000);
  });

  it.each([
    ['calls', { window: { calls: 10 } }],
    ['time', { window: { durationMs: 10_000 } }],
  ])('keeps a window of %s', async (_kind, options) => {
    const breaker = circuitBreaker({ clock, ...options });
    await failTimes(breaker, 4);
    for (let i = 0; i < 3; i++) await breaker.execute(ok);
    const { breaker: revived } = revive(breaker.snapshot(), 0, options);
    expect(revived.stats().window).toEqual({ calls: 7, failures: 4, slow: 0 });
    await failTimes(revived, 3);
    expect(revived.state).toBe('open');
  });

  it('keeps the state and drops the window when the window is of another kind', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 4);
    const options = { window: { calls: 10 } };
    expect(revive(breaker.snapshot(), 0, options).breaker.stats()).toMatchObject({
      state: 'closed',
      window: { calls: 0 },
    });
  });

  it('of an isolated circuit is a closed one, and restoring one does not end isolation', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 5);
    const open = breaker.snapshot();
    breaker.isolate();
    expect(breaker.snapshot().state).toBe('closed');
    breaker.restore(open);
    expect(breaker.state).toBe('isolated');
  });

  it('does not open a breaker in metrics-only mode', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 5);
    const { breaker: watching } = revive(breaker.snapshot(), 0, { mode: 'metrics-only' });
    expect(watching.state).toBe('closed');
  });

  it('makes the breaker ignore results of calls that began before it was restored', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1 });
    const old = Promise.withResolvers<never>();
    const running = breaker.execute(() => old.promise);
    breaker.restore(breaker.snapshot());
    old.reject(new Error('boom'));
    await running.catch(() => undefined);
    expect(breaker.state).toBe('closed');
  });

  it('opens the circuit for at most maxOpenDurationMs', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 5);
    const snapshot = breaker.snapshot();
    const forged = { ...snapshot, remainingMs: 1e15 };
    expect(revive(forged as BreakerSnapshot, 0).breaker.stats().retryAfterMs).toBe(600_000);
  });

  it('takes the trials that are running in this process up again, whatever happened meanwhile', async () => {
    for (const meanwhile of ['reset', 'forceOpen'] as const) {
      const breaker = circuitBreaker({ clock });
      await failTimes(breaker, 5);
      clock.jump(60_000);
      const trials = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
      const first = breaker.execute(() => (trials[0] as (typeof trials)[0]).promise);
      const halfOpen = breaker.snapshot();
      breaker[meanwhile]();
      breaker.restore(halfOpen);
      expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 1 } });
      expect(await breaker.tryExecute(ok)).toMatchObject({ ok: false });
      trials[0]?.resolve('ok');
      await first;
      expect(breaker.stats()).toMatchObject({ trials: { running: 0, successes: 1 } });
    }
  });

  it('does not take up a trial that has run for too long', async () => {
    const breaker = circuitBreaker({ clock, halfOpenMaxDurationMs: 1000 });
    await failTimes(breaker, 5);
    clock.jump(60_000);
    const halfOpen = breaker.snapshot();
    void breaker.execute(() => new Promise(() => undefined));
    clock.jump(1000);
    expect(breaker.state).toBe('open');
    breaker.restore(halfOpen);
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 0 } });
  });

  it.each<[string, object]>([
    ['openings', { state: 'open', openings: 0 }],
    ['openings', { state: 'half-open', openings: 0 }],
    ['remainingMs', { state: 'closed', remainingMs: 5 }],
    ['remainingMs', { state: 'half-open', openings: 1, remainingMs: 5 }],
    ['successes and failures', { successes: 1 }],
    ['successes and failures', { state: 'open', openings: 1, failures: 1 }],
    ['window.calls', { window: { kind: 'time', calls: [[0, 1, 2, 0]] } }],
    ['window.calls', { window: { kind: 'time', calls: [[0, 1, 0, 2]] } }],
    ['window.calls', { window: { kind: 'calls', calls: [[0, 5, 5, 0]] } }],
    ['window.calls', { window: { kind: 'calls', calls: [[0, 0, 0, 0]] } }],
    ['window.calls', { window: { kind: 'consecutive', calls: [[0, 4, 3, 0]] } }],
    ['window.calls', { window: { kind: 'consecutive', calls: [[0, 3, 3, 1]] } }],
    [
      'window.calls',
      {
        window: {
          kind: 'consecutive',
          calls: [
            [0, 1, 1, 0],
            [0, 1, 1, 0],
          ],
        },
      },
    ],
  ])('with an impossible count of %s is refused: %j', (field, change) => {
    const breaker = circuitBreaker({ clock });
    const before = breaker.snapshot();
    expect(() => breaker.restore({ ...before, ...change } as BreakerSnapshot)).toThrow(
      new RegExp(`^restore: snapshot: ${field} .*: no breaker saves that\\.$`),
    );
    expect(breaker.snapshot()).toEqual(before);
  });

  it('is checked as it is used: a getter cannot answer twice', () => {
    const breaker = circuitBreaker({ clock });
    let reads = 0;
    const snapshot = Object.defineProperty({ ...breaker.snapshot() }, 'state', {
      get: () => (reads++ === 0 ? 'closed' : 'ajar'),
    });
    breaker.restore(snapshot);
    expect(breaker.state).toBe('closed');
    expect(reads).toBe(1);
  });

  it('of every breaker in every state can be restored', async () => {
    const kinds: CircuitBreakerOptions[] = [
      {},
      { halfOpenTrials: 4, halfOpenMaxFailureRate: 0.5, halfOpenMaxCalls: 2 },
      { window: { calls: 7 }, slowCallDurationMs: 5 },
      { window: { durationMs: 900 }, slowCallDurationMs: 5, openDurationMs: 33.3 },
    ];
    const step = fc.constantFrom('ok', 'fail', 'slow', 'hang', 'wait', 'force', 'reset');
    const reach = new Reach('closed', 'open', 'half-open', 'trial');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...kinds),
        fc.array(step, { maxLength: 40 }),
        async (options, steps) => {
          const breaker = circuitBreaker({ clock, ...options });
          for (const each of steps) {
            if (each === 'ok') await breaker.tryExecute(ok);
            if (each === 'fail') await breaker.tryExecute(fail);
            if (each === 'slow') await breaker.tryExecute(() => clock.jump(10));
            if (each === 'hang') void breaker.tryExecute(() => new Promise(() => undefined));
            if (each === 'wait') clock.jump(40_000.7);
            if (each === 'force') breaker.forceOpen(12.3);
            if (each === 'reset') breaker.reset();
            const snapshot = breaker.snapshot();
            const { breaker: revived } = revive(snapshot, 0, options);
            expect(revived.state).toBe(breaker.state);
            if (breaker.state !== 'isolated') reach.count(breaker.state);
            reach.count('trial', breaker.stats().trials.running > 0);
          }
        },
      ),
      { numRuns: 200 },
    );
    reach.expectAll();
  });

  it('that is malformed is refused, and changes nothing', async () => {
    const breaker = circuitBreaker({ clock });
    await failTimes(breaker, 3);
    const before = breaker.snapshot();
    const refuse = (change: object): string => {
      try {
        breaker.restore({ ...before, ...change } as BreakerSnapshot);
      } catch (error) {
        expect(breaker.snapshot()).toEqual(before);
        return (error as Error).message;
      }
      throw new Error('It was taken.');
    };
    expect(refuse({ version: 2 })).toBe('restore: snapshot: version must be one of 1, got 2.');
    expect(refuse({ takenAt: 'now' })).toContain("takenAt must be a finite number, got 'now'");
    expect(refuse({ state: 'ajar' })).toContain("state must be one of 'closed', 'open'");
    expect(refuse({ openings: -1 })).toContain('openings must be an integer from 0 to');
    expect(refuse({ remainingMs: undefined })).toContain(
      'remainingMs must be a finite number >= 0',
    );
    expect(refuse({ elapsedMs: -1 })).toContain('elapsedMs must be a finite number >= 0');
    expect(refuse({ successes: Number.NaN })).toContain('successes must be an integer');
    expect(refuse({ window: { kind: 'row', calls: [] } })).toContain('window.kind must be one of');
    expect(refuse({ window: { kind: 'calls', calls: '0134' } })).toContain('must be an array');
    expect(refuse({ window: { kind: 'time', calls: [[1, 2]] } })).toContain('4 numbers');
    expect(refuse({ window: { kind: 'time', calls: [[0, 1, -1, 0]] } })).toContain('from 0 to');
    expect(refuse({ window: { kind: 'time', calls: [[Infinity, 1, 0, 0]] } })).toContain('finite');
    expect(() => breaker.restore(null as never)).toThrow('restore: snapshot must be an object');
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(() => breaker.restore(value as BreakerSnapshot)).toThrow(/^restore: /);
      }),
    );
  });
});

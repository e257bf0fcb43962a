import { ManualClock, settle } from '@temper/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import type { StateChange } from './events.ts';
import type { CircuitBreakerOptions } from './options.ts';

const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(new Error('boom'));
const hang = (): Promise<never> => new Promise(() => undefined);

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

async function open(options: CircuitBreakerOptions = {}): Promise<CircuitBreaker> {
  const breaker = circuitBreaker({ clock, failureThreshold: 1, ...options });
  await breaker.tryExecute(fail);
  expect(breaker.state).toBe('open');
  return breaker;
}

/** Hears changes as `<state> <milliseconds since the beginning>`. */
function recorder(): { heard: string[]; listener: (change: StateChange) => void } {
  const begin = clock.now();
  const heard: string[] = [];
  return { heard, listener: ({ to, at }) => void heard.push(`${to} ${at - begin}`) };
}

describe('a change of state that time alone causes', () => {
  it('is told when it happens to a listener of the options, without a call', async () => {
    const { heard, listener } = recorder();
    await open({ onStateChange: listener });
    await clock.advance(59_999);
    expect(heard).toEqual(['open 0']);
    await clock.advance(1);
    expect(heard).toEqual(['open 0', 'half-open 60000']);
    expect(clock.pending).toBe(0);
  });

  it('is told when it happens to a listener that was added later', async () => {
    const { heard, listener } = recorder();
    const breaker = await open();
    await clock.advance(10_000);
    breaker.onStateChange(listener);
    await clock.advance(50_000);
    expect(heard).toEqual(['half-open 60000']);
  });

  it('is told when a trial times out', async () => {
    const { heard, listener } = recorder();
    const breaker = await open({ onStateChange: listener, halfOpenMaxDurationMs: 100 });
    await clock.advance(60_000);
    void breaker.execute(hang);
    await clock.advance(100);
    expect(heard).toEqual(['open 0', 'half-open 60000', 'open 60100']);
    await clock.advance(60_000);
    expect(heard.at(-1)).toBe('half-open 120100');
  });

  it('is told for each opening, and for one whose end was moved', async () => {
    const { heard, listener } = recorder();
    const breaker = await open({ onStateChange: listener });
    await clock.advance(59_000);
    breaker.forceOpen(5000);
    await clock.advance(4999);
    expect(heard).toEqual(['open 0']);
    await clock.advance(1);
    expect(heard).toEqual(['open 0', 'half-open 64000']);
    await breaker.tryExecute(fail);
    await clock.advance(60_000);
    expect(heard.slice(2)).toEqual(['open 64000', 'half-open 124000']);
  });

  it('needs one timer, which does not keep the process alive, and none when nothing is due', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1, successThreshold: 1 });
    const listeners = Array.from({ length: 3 }, () => breaker.onStateChange(() => undefined));
    expect(clock.pending).toBe(0);
    await breaker.tryExecute(fail);
    expect([clock.pending, clock.pendingRefed]).toEqual([1, 0]);
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
    await breaker.execute(ok);
    expect([breaker.state, clock.pending]).toEqual(['closed', 0]);
    await breaker.tryExecute(fail);
    breaker.isolate();
    expect(clock.pending).toBe(0);
    for (const listener of listeners) listener[Symbol.dispose]();
  });

  it('needs no timer when nobody listens any more', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1 });
    const [first, second] = [recorder(), recorder()];
    const leave = [first, second].map(({ listener }) => breaker.onStateChange(listener));
    await breaker.tryExecute(fail);
    leave[0]?.[Symbol.dispose]();
    expect(clock.pending).toBe(1);
    leave[1]?.[Symbol.dispose]();
    leave[1]?.[Symbol.dispose]();
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect([first.heard, second.heard]).toEqual([['open 0'], ['open 0']]);
    expect(breaker.state).toBe('half-open');
  });

  it('is not told by a timer after the breaker was disposed of', async () => {
    const { heard, listener } = recorder();
    const breaker = await open({ onStateChange: listener });
    breaker[Symbol.dispose]();
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(heard).toEqual(['open 0']);
    expect(breaker.state).toBe('half-open');
    await breaker.tryExecute(fail);
    expect([breaker.state, clock.pending]).toEqual(['open', 0]);
  });

  it('is told once when a timer fires before its time', async () => {
    const early = {
      now: clock.now,
      monotonic: clock.monotonic,
      sleep: clock.sleep,
      schedule: (callback: () => void, ms: number) => clock.schedule(callback, ms - 0.5),
    };
    const { heard, listener } = recorder();
    await open({ onStateChange: listener, clock: early, openDurationMs: 10.5 });
    await clock.advance(10.4);
    expect(heard).toEqual(['open 0']);
    await clock.advance(1);
    expect(heard).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('may be answered by a listener that acts on the breaker', async () => {
    const { heard, listener } = recorder();
    const breaker = await open({ onStateChange: listener });
    breaker.onStateChange(({ to }) => {
      if (to === 'half-open') breaker.forceOpen(1000);
    });
    await clock.advance(62_500);
    expect(heard).toEqual([
      'open 0',
      'half-open 60000',
      'open 60000',
      'half-open 61000',
      'open 61000',
      'half-open 62000',
      'open 62000',
    ]);
  });
});

describe('under the fake timers of a test runner', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('a listener that advances time as soon as it hears of the opening hears of half-open', async () => {
    const heard: string[] = [];
    const breaker = circuitBreaker({
      failureThreshold: 1,
      openDurationMs: 1000,
      onStateChange: ({ to, openMs }) => {
        heard.push(to);
        if (openMs !== undefined) vi.advanceTimersByTime(openMs);
      },
    });
    await breaker.tryExecute(fail);
    expect(heard).toEqual(['open', 'half-open']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('forceOpen()', () => {
  it('opens the circuit as failures do: trials follow, and openings are counted', async () => {
    const changes: StateChange[] = [];
    const breaker = circuitBreaker({
      clock,
      successThreshold: 1,
      openDurationMs: 1000,
      openDurationMultiplier: 2,
      onStateChange: (change) => changes.push(change),
    });
    breaker.forceOpen();
    expect(breaker.stats()).toMatchObject({ state: 'open', openings: 1, retryAfterMs: 1000 });
    expect(changes[0]).toMatchObject({
      from: 'closed',
      to: 'open',
      reason: 'forced',
      openMs: 1000,
    });
    const outcome = await breaker.tryExecute(ok);
    expect(outcome).toMatchObject({
      error: {
        code: 'CIRCUIT_OPEN',
        message: "Circuit 'breaker' is open; the next trial is in 1000 ms.",
      },
    });
    await clock.advance(1000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  it('takes its own open time', async () => {
    const breaker = circuitBreaker({ clock });
    breaker.forceOpen(5);
    expect(breaker.stats().retryAfterMs).toBe(5);
    breaker.forceOpen(0);
    expect(breaker.state).toBe('half-open');
    expect(() => breaker.forceOpen(600_001)).toThrow(
      'forceOpen: openMs must be a number from 0 to 600000, got 600001.',
    );
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5', null]) {
      expect(() => breaker.forceOpen(ms as never)).toThrow(/^forceOpen: openMs must be a number/);
    }
    expect(breaker.state).toBe('half-open');
  });

  it('ignores the results of calls and trials from before', async () => {
    const breaker = await open({ successThreshold: 1 });
    await clock.advance(60_000);
    const trial = Promise.withResolvers<string>();
    const running = breaker.execute(() => trial.promise);
    breaker.forceOpen(1000);
    await clock.advance(1000);
    trial.resolve('ok');
    await running;
    expect(breaker.state).toBe('half-open');
  });

  it('does nothing to an isolated circuit, and in other modes', () => {
    const breaker = circuitBreaker({ clock });
    const hold = breaker.isolate();
    breaker.forceOpen();
    expect(breaker.state).toBe('isolated');
    hold[Symbol.dispose]();
    for (const mode of ['metrics-only', 'disabled'] as const) {
      breaker.mode = mode;
      breaker.forceOpen();
      expect(breaker.state).toBe('closed');
    }
  });
});

describe('an openDurationMs that calls the breaker', () => {
  const acts: readonly [string, (breaker: CircuitBreaker) => unknown, string][] = [
    ['state', (breaker) => breaker.state, 'open'],
    ['stats()', (breaker) => breaker.stats(), 'open'],
    ['snapshot()', (breaker) => breaker.snapshot(), 'open'],
    ['execute()', (breaker) => breaker.execute(ok).catch(() => undefined), 'open'],
    ['tryExecute()', (breaker) => breaker.tryExecute(ok), 'open'],
    ['execute() of a call that never ends', (breaker) => void breaker.tryExecute(hang), 'open'],
    [
      'execute() of an operation that throws',
      (breaker) =>
        breaker.tryExecute(() => {
          throw new Error('at once');
        }),
      'open',
    ],
    ['forceOpen()', (breaker) => breaker.forceOpen(7), 'open'],
    ['onStateChange()', (breaker) => breaker.onStateChange(() => undefined), 'open'],
    ['isolate()', (breaker) => breaker.isolate(), 'isolated'],
    [
      'mode',
      (breaker) => {
        breaker.mode = 'disabled';
      },
      'closed',
    ],
  ];

  it.each(acts)('by %s loses no opening of a closed circuit', async (_what, act, state) => {
    let asked = 0;
    const breaker: CircuitBreaker = circuitBreaker({
      clock,
      failureThreshold: 1,
      openDurationMs: () => {
        asked++;
        act(breaker);
        return 5000;
      },
    });
    await breaker.tryExecute(fail);
    await settle();
    expect([breaker.state, asked]).toEqual([state, 1]);
    if (state === 'open') expect(breaker.stats()).toMatchObject({ retryAfterMs: 5000 });
  });

  it.each(acts)('by %s loses no opening by a trial', async (_what, act, state) => {
    for (const end of ['a failure', 'its timeout']) {
      let trial = false;
      const breaker: CircuitBreaker = circuitBreaker({
        clock,
        failureThreshold: 1,
        halfOpenMaxCalls: 2,
        halfOpenMaxDurationMs: 100,
        openDurationMs: () => {
          if (trial) act(breaker);
          return 5000;
        },
      });
      await breaker.tryExecute(fail);
      await clock.advance(5000);
      trial = true;
      if (end === 'a failure') await breaker.tryExecute(fail);
      else void breaker.tryExecute(hang);
      if (end !== 'a failure') await clock.advance(100);
      expect(breaker.state).toBe(state);
      await settle();
      expect(breaker.state).toBe(state);
      if (state === 'open') expect(breaker.stats()).toMatchObject({ openings: 2 });
    }
  });
});

// What the issues of other circuit breakers teach about the half-open state. They are those of
// connor4312/cockatiel, nodeshift/opossum, App-vNext/Polly, resilience4j/resilience4j and failsafe-go/failsafe-go.
import { isTemperError, type Outcome } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  circuitBreaker,
} from '../../src/index.ts';

const OPEN_MS = 10_000;
const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = async (): Promise<never> => {
  throw boom;
};

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const make = (options: CircuitBreakerOptions = {}): CircuitBreaker =>
  circuitBreaker({
    clock,
    openDurationMs: OPEN_MS,
    ...('halfOpenTrials' in options ? {} : { successThreshold: 1 }),
    ...options,
  });

async function times(n: number, breaker: CircuitBreaker, operation = fail): Promise<void> {
  for (let i = 0; i < n; i++) await breaker.tryExecute(operation);
}

/** A circuit that has opened by five failures and whose open time is over. */
async function halfOpen(options: CircuitBreakerOptions = {}): Promise<CircuitBreaker> {
  const breaker = make(options);
  await times(20, breaker);
  expect(breaker.state).toBe('open');
  clock.jump(OPEN_MS);
  expect(breaker.state).toBe('half-open');
  return breaker;
}

/** A call that ends when told to. */
function begin(breaker: CircuitBreaker, signal?: AbortSignal) {
  const gate = Promise.withResolvers<string>();
  const call = { ran: false, done: undefined as unknown as Promise<Outcome<string>>, ...gate };
  call.done = breaker.tryExecute(
    () => {
      call.ran = true;
      return gate.promise;
    },
    { signal },
  );
  return call;
}

const refused = (outcome: Outcome<unknown>): boolean =>
  !outcome.ok && isTemperError(outcome.error, 'CIRCUIT_OPEN');

describe('a trial', () => {
  it('opossum#276: opens the circuit when it fails, although the window has too few calls to judge', async () => {
    const breaker = await halfOpen({ window: { durationMs: 5_000 }, minimumThroughput: 5 });
    await breaker.tryExecute(fail);
    expect(breaker.state).toBe('open');
    clock.jump(OPEN_MS);
    expect(await breaker.tryExecute(ok)).toEqual({ ok: true, value: 'ok' });
    expect(breaker.state).toBe('closed');
  });

  it('opossum#119: is the only call that runs until it ends', async () => {
    const breaker = await halfOpen();
    const calls = Array.from({ length: 5 }, () => begin(breaker));
    expect(calls.map(({ ran }) => ran)).toEqual([true, false, false, false, false]);
    for (const { done } of calls.slice(1)) expect(refused(await done)).toBe(true);
    calls[0]?.resolve('ok');
    await calls[0]?.done;
    expect(breaker.state).toBe('closed');
  });

  it('opossum#120: opens the circuit when it fails, although the failure rate is far below its threshold', async () => {
    const breaker = make({ window: { durationMs: 3_600_000 }, failureRateThreshold: 0.9 });
    await times(50, breaker, ok as () => Promise<never>);
    breaker.forceOpen();
    clock.jump(OPEN_MS);
    await breaker.tryExecute(fail);
    expect(breaker.state).toBe('open');
  });

  it('opossum#57: leaves nothing behind when calls came while it ran', async () => {
    const breaker = await halfOpen();
    const trial = begin(breaker);
    await times(3, breaker);
    trial.reject(boom);
    await trial.done;
    expect(breaker.state).toBe('open');
    clock.jump(OPEN_MS);
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
  });

  it('opossum#59: that succeeds closes the circuit for those who come after', async () => {
    const breaker = await halfOpen();
    const trial = begin(breaker);
    expect(refused(await breaker.tryExecute(ok))).toBe(true);
    trial.resolve('ok');
    await trial.done;
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
  });

  it('opossum#484: that succeeds closes the circuit for good, whatever calls from before come to', async () => {
    const breaker = make();
    const late = Array.from({ length: 6 }, () => begin(breaker));
    await times(5, breaker);
    clock.jump(OPEN_MS);
    await breaker.tryExecute(ok);
    for (const { reject, done } of late) {
      reject(boom);
      await done;
    }
    expect(breaker.state).toBe('closed');
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
  });

  it('opossum#613: is one of as many as the option says before the circuit closes', async () => {
    const breaker = await halfOpen({ successThreshold: 3 });
    for (const state of ['half-open', 'half-open', 'closed']) {
      await breaker.tryExecute(ok);
      expect(breaker.state).toBe(state);
    }
  });

  it('Polly#1979: that ends with an error that does not count makes room for the next', async () => {
    const ignored = new Error('not mine');
    const breaker = await halfOpen({
      shouldHandle: ({ ok: fine, ...end }) =>
        !fine && (end as { error: unknown }).error !== ignored,
    });
    for (let i = 0; i < 3; i++) {
      const outcome = await breaker.tryExecute(() => Promise.reject(ignored));
      expect(outcome).toEqual({ ok: false, error: ignored });
      expect(breaker.state).toBe('half-open');
    }
    await breaker.tryExecute(ok);
    expect(breaker.state).toBe('closed');
  });

  it('Polly#717: after one that did not count ends with its own error, and opens the circuit', async () => {
    const ignored = new Error('not mine');
    const breaker = await halfOpen({ shouldHandle: (end) => !end.ok && end.error !== ignored });
    await breaker.tryExecute(() => Promise.reject(ignored));
    expect(await breaker.tryExecute(fail)).toEqual({ ok: false, error: boom });
    expect(breaker.state).toBe('open');
  });

  it('Polly#216: that is slow holds all others back, however long it takes to time out', async () => {
    const breaker = await halfOpen();
    const trial = begin(breaker);
    for (let second = 0; second < 30; second++) {
      clock.jump(1000);
      expect(refused(await breaker.tryExecute(ok))).toBe(true);
    }
    trial.reject(boom);
    await trial.done;
    expect(breaker.state).toBe('open');
  });

  it('Polly#2381: that fails does not open the circuit while the failure rate of the trials may still be met', async () => {
    const breaker = await halfOpen({
      halfOpenTrials: 4,
      halfOpenMaxFailureRate: 0.25,
    });
    await breaker.tryExecute(fail);
    expect(breaker.state).toBe('half-open');
    await times(3, breaker, ok as () => Promise<never>);
    expect(breaker.state).toBe('closed');
  });

  it('Polly#933: may call through the same breaker again, and closes the circuit', async () => {
    const breaker = await halfOpen();
    const nested = await breaker.tryExecute((call) => breaker.execute(ok, { parent: call }));
    expect(nested).toEqual({ ok: true, value: 'ok' });
    expect(breaker.state).toBe('closed');
  });

  it('resilience4j#544: that does not count returns its place, the last one too', async () => {
    const ignored = new Error('not mine');
    const breaker = await halfOpen({
      halfOpenTrials: 2,
      shouldHandle: (end) => !end.ok && end.error !== ignored,
    });
    await breaker.tryExecute(ok);
    await breaker.tryExecute(() => Promise.reject(ignored));
    expect(breaker.state).toBe('half-open');
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
    expect(breaker.state).toBe('closed');
  });

  it('resilience4j#903: is judged with its like, although a closed circuit would need more calls', async () => {
    const breaker = await halfOpen({
      window: { calls: 100 },
      minimumThroughput: 20,
      halfOpenTrials: 3,
    });
    await times(3, breaker, ok as () => Promise<never>);
    expect(breaker.state).toBe('closed');
  });

  it('resilience4j#935: that never ends counts as failed after its longest time', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 2_000 });
    const lost = begin(breaker);
    clock.jump(2_000);
    expect(breaker.state).toBe('open');
    clock.jump(OPEN_MS);
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
    expect(breaker.state).toBe('closed');
    lost.reject(boom);
    await lost.done;
    expect(breaker.state).toBe('closed');
  });

  it('resilience4j#1568: that its caller cancels returns its place', async () => {
    const breaker = await halfOpen();
    const controller = new AbortController();
    const cancelled = begin(breaker, controller.signal);
    controller.abort('gone');
    cancelled.reject('gone');
    expect(await cancelled.done).toEqual({ ok: false, error: 'gone' });
    expect(breaker.state).toBe('half-open');
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
    expect(breaker.state).toBe('closed');
  });

  it('resilience4j#1432: is one of exactly as many as may run, however many calls come at that moment', async () => {
    const breaker = await halfOpen({ halfOpenMaxCalls: 3, successThreshold: 3 });
    const calls = Array.from({ length: 50 }, () => begin(breaker));
    expect(calls.filter(({ ran }) => ran)).toHaveLength(3);
    expect(breaker.stats().trials.running).toBe(3);
    for (const { resolve } of calls) resolve('ok');
    await Promise.all(calls.map(({ done }) => done));
    expect(breaker.state).toBe('closed');
  });

  it('resilience4j#1351: does not end the judgement before all of them have ended', async () => {
    const breaker = await halfOpen({
      halfOpenTrials: 4,
      halfOpenMaxFailureRate: 0.5,
    });
    for (const [operation, state] of [
      [ok, 'half-open'],
      [fail, 'half-open'],
      [fail, 'half-open'],
      [ok, 'closed'],
    ] as const) {
      await breaker.tryExecute<string>(operation);
      expect(breaker.state).toBe(state);
    }
  });
});

describe('an open circuit', () => {
  it('opossum#385: becomes half-open in time, although more failures come after the one that opened it', async () => {
    const breaker = make();
    const calls = Array.from({ length: 8 }, () => begin(breaker));
    for (const { reject, done } of calls) {
      reject(boom);
      await done;
      clock.jump(100);
    }
    expect(breaker.state).toBe('open');
    // Opened at 400 ms; the three failures after that neither end its time nor lengthen it.
    clock.jump(OPEN_MS - 400);
    expect(breaker.state).toBe('half-open');
  });

  it('opossum#580: becomes half-open without a timer, when its time has passed while nothing ran', async () => {
    const breaker = make();
    await times(5, breaker);
    expect(clock.pendingRefed).toBe(0);
    clock.jump(OPEN_MS);
    expect(breaker.state).toBe('half-open');
  });

  it('failsafe-go#97: tells of the change to half-open by time alone', async () => {
    const breaker = make();
    const changes: string[] = [];
    breaker.onStateChange(({ to }) => changes.push(to));
    await times(5, breaker);
    await clock.advance(OPEN_MS);
    expect(changes).toEqual(['open', 'half-open']);
  });

  it('cockatiel#91: becomes half-open by a rate too, however small the rate that opened it', async () => {
    const breaker = make({
      window: { durationMs: 30_000 },
      failureRateThreshold: 0.01,
      minimumThroughput: 30,
    });
    await times(99, breaker, ok as () => Promise<never>);
    await times(1, breaker);
    expect(breaker.state).toBe('open');
    clock.jump(OPEN_MS);
    expect((await breaker.tryExecute(ok)).ok).toBe(true);
    expect(breaker.state).toBe('closed');
  });

  it('opossum#719: becomes half-open although the breaker is made anew for each request', async () => {
    const breaker = make();
    await times(5, breaker);
    const saved = breaker.snapshot();
    clock.jump(OPEN_MS - 1);
    const next = make();
    next.restore(saved);
    expect(next.state).toBe('open');
    clock.jump(1);
    const last = make();
    last.restore(saved);
    expect(last.state).toBe('half-open');
  });

  it('opossum#658: that was restored half-open runs its trial, and closes', async () => {
    const breaker = await halfOpen();
    const next = make();
    next.restore(breaker.snapshot());
    let ran = false;
    await next.execute(async () => {
      ran = true;
    });
    expect([ran, next.state]).toEqual([true, 'closed']);
  });

  it('Polly#223: takes no note of calls from before that fail late', async () => {
    const breaker = make();
    const late = begin(breaker);
    await times(5, breaker);
    const changes: string[] = [];
    breaker.onStateChange(({ to }) => changes.push(to));
    late.reject(boom);
    await late.done;
    clock.jump(OPEN_MS);
    expect(breaker.state).toBe('half-open');
    await settle();
    expect(changes.filter((to) => to === 'open')).toEqual([]);
  });

  it('Polly#758: that values opened, and no error, refuses calls with an error that says so', async () => {
    const breaker = make({ name: 'stock', shouldHandle: (end) => end.ok && end.value === false });
    for (let i = 0; i < 5; i++) await breaker.execute(async () => false);
    const outcome = await breaker.tryExecute(ok);
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: 'CIRCUIT_OPEN', policy: 'stock', message: expect.stringContaining("'stock'") },
    });
  });
});

describe('a closed circuit', () => {
  it('opossum#217: stays closed at the first failure of all', async () => {
    const breaker = make({ window: { durationMs: 20_000 } });
    await breaker.tryExecute(fail);
    expect(breaker.state).toBe('closed');
  });

  it('opossum#232: stays closed at the first failure after a silence', async () => {
    const breaker = make({ window: { durationMs: 20_000 } });
    await times(100, breaker, ok as () => Promise<never>);
    clock.jump(20_000);
    await times(3, breaker);
    expect(breaker.state).toBe('closed');
  });

  it('opossum#660: does not open at two timeouts while there are too few calls to judge', async () => {
    const breaker = make({ window: { durationMs: 300_000 } });
    for (let i = 0; i < 2; i++) {
      const call = breaker.tryExecute(({ signal }) => clock.sleep(60_000, signal), {
        timeoutMs: 4_000,
      });
      await clock.advance(4_000);
      expect(await call).toMatchObject({ ok: false, error: { code: 'DEADLINE_EXCEEDED' } });
    }
    expect(breaker.stats().window.failures).toBe(2);
    expect(breaker.state).toBe('closed');
  });

  it('opossum#288: opens at its threshold, not at the first failure, and then runs nothing', async () => {
    const breaker = make({ failureThreshold: 3 });
    for (const state of ['closed', 'closed', 'open']) {
      await breaker.tryExecute(fail);
      expect(breaker.state).toBe(state);
    }
    let ran = false;
    await breaker.tryExecute(async () => {
      ran = true;
    });
    expect(ran).toBe(false);
  });

  it('opossum#558: counts a failure for as long as the window, in whatever pattern calls come', async () => {
    const breaker = make({
      window: { durationMs: 10_000, buckets: 10 },
      minimumThroughput: 1,
      failureRateThreshold: 1,
    });
    await breaker.tryExecute(ok);
    clock.jump(5_000);
    await times(3, breaker);
    expect(breaker.state).toBe('closed');
    // The success has left the window; the failures have not.
    clock.jump(5_500);
    await times(1, breaker);
    expect(breaker.state).toBe('open');
  });
});

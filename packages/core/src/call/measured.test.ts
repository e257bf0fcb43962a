import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { isNeutral } from '../should-handle.ts';
import { Call } from './context.ts';
import { MeasuredCall } from './measured.ts';

describe('a measured call', () => {
  it('knows how long it and its attempts have waited for capacity, whatever the wait ended with', async () => {
    const clock = new ManualClock();
    const outer = new MeasuredCall(new Call());
    const call = new MeasuredCall(outer);
    const waits = async (): Promise<void> => {
      await call.awaitCapacity(() => clock.sleep(10), clock);
      await call.scope().awaitCapacity(() => clock.sleep(20), clock);
      await call.forAttempt(2).awaitCapacity(() => clock.sleep(30), clock);
      const failing = async (): Promise<never> => {
        await clock.sleep(40);
        throw new Error('no turn');
      };
      await call.awaitCapacity(failing, clock).catch(() => undefined);
      call.noteWait(5);
    };
    await clock.runUntil(waits());
    expect([call.waitedMs, outer.waitedMs]).toEqual([105, 105]);
  });

  it('does not count waits once parts of it run at the same time', () => {
    const outer = new MeasuredCall(new Call());
    const call = new MeasuredCall(outer);
    call.join();
    call.noteWait(10);
    call.leave();
    call.join();
    call.join();
    call.leave();
    call.noteWait(100);
    expect([call.waitedMs, outer.waitedMs]).toEqual([10, 10]);
    const hedged = new MeasuredCall(new Call());
    hedged.scope().noteParallel();
    hedged.noteWait(10);
    expect(hedged.waitedMs).toBe(0);
  });

  it('knows whether its answer is that of the operation', () => {
    const call = new MeasuredCall(new Call());
    expect(call.timing).toBe('measured');
    call.join();
    call.labelled(undefined).noteTiming('unknown'); // of a part of it
    expect(call.timing).toBe('measured');
    call.leave();
    call.labelled(undefined).noteTiming('unknown');
    expect(call.timing).toBe('unknown');
    call.noteTiming('longer');
    call.noteTiming('unknown');
    expect(call.timing).toBe('longer');
  });
});

describe('an error that a wait of our own ends with', () => {
  it.each([new Error('log is full'), 'text', null, 0])(
    'says nothing about the dependency, as %o or as a cause',
    async (error) => {
      const call = new Call();
      const scope = call.scope();
      await scope.awaitCapacity(() => Promise.reject(error)).catch(() => undefined);
      for (const each of [call, scope]) {
        expect(isNeutral({ ok: false, error }, each)).toBe(true);
        const wrapped = new Error('failed', { cause: error });
        expect(isNeutral({ ok: false, error: wrapped }, each)).toBe(true);
        expect(isNeutral({ ok: false, error: new Error('another') }, each)).toBe(false);
      }
    },
  );

  it('does not hide others when it is undefined', async () => {
    const call = new Call();
    await call.awaitCapacity(() => Promise.reject(undefined)).catch(() => undefined);
    expect(isNeutral({ ok: false, error: new Error('without a cause') }, call)).toBe(false);
  });
});

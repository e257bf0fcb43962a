import { getEventListeners } from 'node:events';
import type { CallContext } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { pipeline, timeout } from '../../src/index.ts';
import { KIND_NAMES, KINDS } from './catalogue.ts';

describe.each(KIND_NAMES)('a joined call under %s whose parent resolves first', (kind) => {
  const PARENTS = {
    'a call with a deadline': (clock: ManualClock) => ({
      policy: pipeline({ clock }),
      timeoutMs: 150,
    }),
    'a timeout': (clock: ManualClock) => ({
      policy: timeout({ clock, timeoutMs: 150 }),
      timeoutMs: undefined,
    }),
  };

  it.each(Object.keys(PARENTS) as (keyof typeof PARENTS)[])(
    'stays bound to signal and deadline of %s',
    async (parent) => {
      for (const end of ['caller', 'deadline'] as const) {
        const clock = new ManualClock();
        const { policy: outer, timeoutMs } = PARENTS[parent](clock);
        const inner = KINDS[kind](clock);
        const controller = new AbortController();
        let seen: CallContext | undefined;
        let outcome: Promise<unknown> | undefined;
        await outer.execute(
          (call) => {
            outcome = inner
              .execute(
                (child) => {
                  seen = child;
                  return new Promise((_, reject) =>
                    child.signal.addEventListener('abort', () => reject(child.signal.reason)),
                  );
                },
                { parent: call },
              )
              .catch((error: unknown) => error);
          },
          { signal: controller.signal, timeoutMs },
        );
        await clock.advance(50);
        expect(seen).toBeDefined();
        expect(seen?.endedBy).toBeUndefined();
        if (end === 'caller') controller.abort('left');
        else await clock.advance(100);
        await clock.advance(1);
        await outcome;
        expect(seen?.signal.aborted).toBe(true);
        if (end === 'caller') expect(seen?.endedBy).toBe('caller');
        else expect(['deadline', 'timeout']).toContain(seen?.endedBy);
        await settle();
        expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
        expect(clock.pendingRefed).toBe(0);
      }
    },
  );
});

import type { ManualClock } from '@temper/testkit/clock';

/** A store whose answers are late by so many milliseconds. */
export function lateStore<S extends object>(store: S, clock: ManualClock, lateMs: number = 0): S {
  if (lateMs === 0) return store;
  return new Proxy(store, {
    get(target, key) {
      const member = Reflect.get(target, key) as unknown;
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        const answer = await member.apply(target, args);
        await new Promise<void>((resolve) => void clock.schedule(resolve, lateMs).unref());
        return answer;
      };
    },
  });
}

import type { ManualClock } from '@temper/testkit/clock';

/** What is wrong with a store. */
export interface StoreFaults {
  /** How late its answers are, in milliseconds. */
  readonly lateMs?: number;
  /** How often it loses everything, in milliseconds; 0: never. */
  readonly forgetsMs?: number;
}

/** A store with faults. */
export function faultyStore<S extends object>(
  make: () => S,
  clock: ManualClock,
  { lateMs = 0, forgetsMs = 0 }: StoreFaults = {},
): S {
  let store = make();
  let madeAt = clock.monotonic();
  const current = (): S => {
    if (forgetsMs > 0 && clock.monotonic() - madeAt >= forgetsMs) {
      store = make();
      madeAt = clock.monotonic();
    }
    return store;
  };
  return new Proxy(store, {
    get(_, key) {
      const target = current();
      const member = Reflect.get(target, key) as unknown;
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        const answer = await member.apply(target, args);
        if (lateMs > 0)
          await new Promise<void>((resolve) => void clock.schedule(resolve, lateMs).unref());
        return answer;
      };
    },
  });
}

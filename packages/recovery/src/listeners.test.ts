import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached } from './cached/cached.ts';
import { fallback } from './fallback/fallback.ts';
import { hedge } from './hedge/hedge.ts';
import { pipelines } from './pipelines/pipelines.ts';
import { timeout } from './timeout/timeout.ts';

type Listener = (event: object, call?: object) => unknown;
type Hook = Record<string, Listener | undefined>;

/** Everything that tells of its events: how to make it, how to listen, and how to cause one event. */
interface Source {
  readonly listen: (listener: Listener) => Disposable;
  readonly cause: () => unknown;
}

const down = (): Promise<never> => Promise.reject(new Error('down'));

const SOURCES: Readonly<Record<string, (clock: ManualClock, hook: Hook) => Source>> = {
  'timeout.onTimeout': (clock, hook) => {
    const policy = timeout({ clock, timeoutMs: 10, ...hook });
    return {
      listen: (listener) => policy.onTimeout(listener),
      cause: () => clock.runUntil(policy.tryExecute(({ signal }) => clock.sleep(100, signal))),
    };
  },
  'hedge.onHedge': (clock, hook) => {
    const policy = hedge({ clock, delayMs: 10, ...hook });
    return {
      listen: (listener) => policy.onHedge(listener),
      cause: () => clock.runUntil(policy.tryExecute(({ signal }) => clock.sleep(15, signal))),
    };
  },
  'fallback.onFallback': (clock, hook) => {
    const policy = fallback({ clock, handler: () => 1, ...hook });
    return {
      listen: (listener) => policy.onFallback(listener),
      cause: () => policy.tryExecute(down),
    };
  },
  'cached.onStale': (clock, hook) => {
    const policy = cached({ clock, key: () => 'k', ...hook });
    return {
      listen: (listener) => policy.onStale(listener),
      cause: async () => {
        await policy.execute(() => 'old');
        await policy.tryExecute(down);
      },
    };
  },
  'pipelines.onReload': (clock, hook) => {
    const registry = pipelines({ clock, kinds: { retry }, define: { p: [] }, ...hook });
    return {
      listen: (listener) => registry.onReload(listener),
      cause: () => registry.reload('p', []),
    };
  },
};

describe.each(Object.entries(SOURCES))('%s', (name, make) => {
  const option = name.split('.')[1] as string;

  it('adds a listener after construction, which can leave', async () => {
    const { listen, cause } = make(new ManualClock(), {});
    const first = vi.fn();
    const second = vi.fn();
    const leave = listen(first);
    listen(second);
    await cause();
    leave[Symbol.dispose]();
    leave[Symbol.dispose]();
    await cause();
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 2]);
  });

  it('tells the option first, and each listener the same', async () => {
    const heard: [string, unknown][] = [];
    const hook: Hook = { [option]: (event) => heard.push(['option', event]) };
    const { listen, cause } = make(new ManualClock(), hook);
    listen((event) => heard.push(['listener', event]));
    await cause();
    expect(heard.map(([who]) => who)).toEqual(['option', 'listener']);
    expect(heard[0]?.[1]).toBe(heard[1]?.[1]);
  });

  it('goes on when a listener throws, rejects, leaves, or adds another one', async () => {
    const { listen, cause } = make(new ManualClock(), {});
    const last = vi.fn();
    listen(() => {
      throw new Error('listener');
    });
    listen(() => Promise.reject(new Error('listener')));
    const leave = listen(() => leave[Symbol.dispose]());
    listen(() => listen(() => {}));
    listen(last);
    await cause();
    await cause();
    expect(last).toHaveBeenCalledTimes(2);
  });

  it.each([null, undefined, 1, 'text', {}])('refuses %o as a listener', (listener) => {
    const { listen } = make(new ManualClock(), {});
    expect(() => listen(listener as never)).toThrow(TypeError);
  });
});

describe('a listener that ends the call', () => {
  type Abort = () => void;
  type Act = (clock: ManualClock, signal: AbortSignal, abort: Abort, answer: Abort) => unknown;

  /** Each policy, on the way to an answer in place of the operation that failed or is slow. */
  const ACTS: Readonly<Record<string, Act>> = {
    'hedge.onHedge, because the first attempt failed': (clock, signal, abort, answer) => {
      const policy = hedge({ clock, delayMs: 10, shouldHandle: ({ ok }) => !ok, onHedge: abort });
      return policy.execute(({ hedge: n }) => (n === 1 ? down() : answer()), { signal });
    },
    'hedge.onHedge, because the first attempt is slow': (clock, signal, abort, answer) => {
      const policy = hedge({ clock, delayMs: 10, onHedge: abort });
      const operation = (call: { hedge: number; signal: AbortSignal }): unknown =>
        call.hedge === 1 ? clock.sleep(100, call.signal) : answer();
      return clock.runUntil(policy.execute(operation, { signal }));
    },
    'fallback.onFallback': (_clock, signal, abort, answer) =>
      fallback({ handler: answer, onFallback: abort }).execute(down, { signal }),
    'cached.onStale': async (clock, signal, abort, answer) => {
      const policy = cached({ clock, key: () => 'k', onStale: abort });
      await policy.execute(() => 'old');
      await policy.execute(down, { signal });
      answer();
    },
  };

  it.each(Object.keys(ACTS))('gets no other answer: %s', async (name) => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const answer = vi.fn();
    const act = ACTS[name] as Act;
    const abort = (): void => controller.abort(reason);
    await expect(act(new ManualClock(), controller.signal, abort, answer)).rejects.toBe(reason);
    expect(answer).not.toHaveBeenCalled();
  });
});

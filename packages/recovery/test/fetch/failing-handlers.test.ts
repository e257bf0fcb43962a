import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { serve } from './guarded.ts';

const CALLBACKS = [
  'onRequestStart',
  'onResponseStarted',
  'onResponseStart',
  'onResponseData',
  'onResponseEnd',
] as const;
/** Not called by undici 7. */
const OF_8 = ['onBodySent', 'onRequestSent'] as const;

describe.each<[string, typeof undici, readonly string[]]>([
  ['undici 8', undici, [...CALLBACKS, ...OF_8]],
  ['undici 7', undici7 as never as typeof undici, CALLBACKS],
])('an error that a handler throws, on %s,', (_, { Agent }, callbacks) => {
  /** A PUT, whose handler throws in one of its callbacks, or at an early hint. */
  async function failing(callback: string, hint = false) {
    const server = await serve((response) => {
      if (hint) response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.writeHead(200, { etag: '"1"' });
      response.end('body');
    });
    const guard = dispatcherInterceptor({ retry: { initialDelayMs: 1 } });
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    const told: string[] = [];
    const handler: Record<string, (...args: unknown[]) => void> = {};
    const { promise: ended, resolve } = Promise.withResolvers<unknown>();
    for (const each of callbacks) {
      handler[each] = (_, status) => {
        told.push(each);
        if (each === callback && (!hint || status === 103)) throw new Error('mine');
        if (each === 'onResponseEnd') resolve('ended');
      };
    }
    handler.onResponseError = (_, error) => resolve((error as Error).message);
    agent
      .compose(guard)
      .dispatch(
        { origin: server.origin, path: '/', method: 'PUT', body: 'sent' },
        handler as never,
      );
    return { server, guard, told, ended: await ended };
  }

  it.each(callbacks)('in %s ends its request, which is not sent again', async (callback) => {
    const { server, guard, told, ended } = await failing(callback);
    expect(ended).toBe('mine');
    expect(told.filter((one) => one === callback)).toHaveLength(1);
    expect(server.seen.length).toBeLessThanOrEqual(1);
    const { retry, breakers } = guard.stats();
    expect([retry?.attempts, breakers[server.origin]?.window.failures]).toEqual([1, 0]);
  });

  it('at an early hint ends its request, which is not sent again', async () => {
    const { server, guard, told, ended } = await failing('onResponseStart', true);
    expect(ended).toBe('mine');
    expect(told.filter((one) => one === 'onResponseStart')).toHaveLength(1);
    const { retry, breakers } = guard.stats();
    expect([retry?.attempts, breakers[server.origin]?.window.failures]).toEqual([1, 0]);
  });
});

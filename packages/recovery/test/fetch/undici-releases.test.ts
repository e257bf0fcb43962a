import { settle } from '@temper/testkit/clock';
import * as undici from 'undici';
import * as undici6 from 'undici-6';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { cut, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';

const interceptor = () => dispatcherInterceptor({ retry: { initialDelayMs: 1 } });

describe('undici 6', () => {
  const refused = /needs undici 7 or 8/;

  it('is refused with the first request, by request and by fetch', async () => {
    const server = await serve(ok());
    const agent = new undici6.Agent();
    onTestFinished(() => agent.destroy());
    const dispatcher = agent.compose(interceptor() as never);
    await expect(undici6.request(server.url(), { dispatcher })).rejects.toThrow(refused);
    await expect(undici6.fetch(server.url(), { dispatcher })).rejects.toThrow(/fetch failed/);
    const error = await undici6.fetch(server.url(), { dispatcher }).catch((thrown) => thrown);
    expect(error.cause).toMatchObject({ message: expect.stringMatching(refused) });
    expect(server.seen).toHaveLength(0);
  });
});

describe.each([
  ['undici 8', undici],
  ['undici 7', undici7 as never as typeof undici],
])('the global dispatcher of %s', (_, release) => {
  it('guards the fetch of Node, and of undici itself', async () => {
    const server = await serve(status(503), cut, ok('node'), status(503), ok('undici'));
    const before = release.getGlobalDispatcher();
    const agent = new release.Agent();
    onTestFinished(async () => {
      release.setGlobalDispatcher(before);
      await agent.destroy();
    });
    release.setGlobalDispatcher(agent.compose(interceptor()));
    expect(await (await fetch(server.url())).text()).toBe('node');
    expect(await (await release.fetch(server.url())).text()).toBe('undici');
    expect(server.seen).toHaveLength(5);
  });
});

describe.each([
  ['undici 8', undici],
  ['undici 7', undici7 as never as typeof undici],
])('a response of %s', (_, { Agent, request }) => {
  // undici 7.30 throws an assertion that nobody can catch when a response is paused while its connection is reset.
  it.each([
    ['by default', {}],
    ['without retries', { retry: false }],
    ['with a hedge', { hedge: { delayMs: 0 } }],
    ['with a limit of the origin', { maxInFlightPerOrigin: 1 }],
    ['after a retry', { retry: { initialDelayMs: 1 } }],
  ] as const)(
    'does not wait in the interceptor until the next event, %s',
    async (name, options) => {
      const server = await serve(...(name === 'after a retry' ? [status(503), ok()] : [ok()]));
      const own = new Agent();
      onTestFinished(() => own.destroy());
      const waited: Promise<boolean>[] = [];
      const probe: undici.Dispatcher.DispatcherComposeInterceptor =
        (dispatch) =>
        ({ ...ask }, handler) =>
          dispatch(ask, {
            onRequestStart: (...event) => handler.onRequestStart?.(...event),
            onResponseStart: (controller, ...event) => {
              // Called when all promises have settled, and before anything that the interceptor may wait for.
              waited.push(settle().then(() => controller.paused));
              handler.onResponseStart?.(controller, ...event);
            },
            onResponseData: (...event) => handler.onResponseData?.(...event),
            onResponseEnd: (...event) => handler.onResponseEnd?.(...event),
            onResponseError: (...event) => handler.onResponseError?.(...event),
          });
      const dispatcher = own.compose(probe, dispatcherInterceptor(options));
      const { body } = await request(server.url(), { dispatcher });
      expect(await body.text()).toBe('ok');
      const last = await waited.at(-1);
      expect({ responses: waited.length > 0, last }).toEqual({ responses: true, last: false });
    },
  );
});

import { gzipSync } from 'node:zlib';
import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { type Answer, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';

const LIBRARIES = [
  ['undici 8', undici],
  ['undici 7', undici7 as never as typeof undici],
] as const;

const moved: Answer = (response) => response.writeHead(302, { location: '/there' }).end();
const zipped: Answer = (response) =>
  response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('ok'));
const kept: Answer = (response) =>
  response.writeHead(200, { 'cache-control': 'max-age=60' }).end('ok');

describe.each(LIBRARIES)('the interceptor beside those of %s', (_, { Agent, interceptors }) => {
  const others = {
    redirect: [interceptors.redirect({ maxRedirections: 3 }), [moved, ok()], 3],
    cache: [interceptors.cache(), [kept], 2],
    decompress: [interceptors.decompress(), [zipped], 3],
    dns: [interceptors.dns(), [ok()], 3],
  } as const;

  it.each(
    Object.entries(others).flatMap(([name, [other, answers, requests]]) => [
      { name: `inside ${name}`, outer: other, inner: undefined, answers, requests },
      { name: `outside ${name}`, outer: undefined, inner: other, answers, requests },
    ]),
  )('repeats what failed, $name', async ({ name, outer, inner, answers, requests }) => {
    const server = await serve(status(503), ...answers);
    const guard = dispatcherInterceptor({ retry: { initialDelayMs: 0 } });
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    // The last one that is composed is asked first.
    const chain = [inner, guard, outer].filter((one) => one !== undefined);
    const dispatcher = agent.compose(chain as undici.Dispatcher.DispatcherComposeInterceptor[]);
    const ask = async (): Promise<string> => {
      const { body } = await dispatcher.request({
        origin: server.origin,
        path: '/',
        method: 'GET',
      });
      return body.text();
    };
    expect(await ask()).toBe('ok');
    if (!name.endsWith('redirect')) expect(await ask()).toBe('ok');
    expect(server.seen).toHaveLength(requests);
  });
});

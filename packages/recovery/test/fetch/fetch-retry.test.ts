import { once } from 'node:events';
import { retryDetails } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { resilientFetch } from '../../src/fetch/index.ts';
import { closedPort, cut, half, hang, ok, status } from './fault-server.ts';
import { quick, serve, still } from './guarded.ts';

describe('a retry of fetch', () => {
  it.each([408, 429, 500, 501, 502, 503, 504, 599])('follows status %d', async (code) => {
    const server = await serve(status(code), status(code), ok('at last'));
    const response = await quick()(server.url());
    expect(await response.text()).toBe('at last');
    expect(server.seen).toHaveLength(3);
  });

  it.each([200, 204, 304, 400, 401, 404, 409, 422])('does not follow status %d', async (code) => {
    const server = await serve(status(code));
    const response = await quick()(server.url());
    expect(response.status).toBe(code);
    expect(server.seen).toHaveLength(1);
  });

  it.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'get'])('is made for %s', async (method) => {
    const server = await serve(status(503), ok());
    expect((await quick()(server.url(), { method })).status).toBe(200);
    expect(server.seen).toHaveLength(2);
  });

  it.each(['POST', 'PATCH'])('is not made for %s', async (method) => {
    const server = await serve(status(503));
    expect((await quick()(server.url(), { method })).status).toBe(503);
    expect(server.seen).toHaveLength(1);
  });

  it('is made for the methods of the option', async () => {
    const server = await serve(status(503), ok());
    const fetch = quick({ methods: ['post'] });
    expect((await fetch(server.url(), { method: 'POST', body: 'x' })).status).toBe(200);
    server.script = [status(503)];
    expect((await fetch(server.url())).status).toBe(503);
  });

  it('follows a connection that is refused', async () => {
    const url = await closedPort();
    await expect(quick()(url)).rejects.toMatchObject({
      name: 'TypeError',
      cause: { code: 'ECONNREFUSED' },
    });
    const fetch = quick();
    const error: unknown = await fetch(url).catch((thrown: unknown) => thrown);
    expect(retryDetails(error)).toMatchObject({ policy: 'http', attempts: 4 });
  });

  it('follows a connection that breaks before the headers', async () => {
    const server = await serve(cut, cut, ok('whole'));
    expect(await (await quick()(server.url())).text()).toBe('whole');
    expect(server.seen).toHaveLength(3);
  });

  it('passes the error of a request that may not be sent again, unchanged', async () => {
    const server = await serve(cut);
    const failed = quick()(server.url(), { method: 'POST', body: 'x' });
    await expect(failed).rejects.toMatchObject({ name: 'TypeError', message: 'fetch failed' });
    expect(server.seen).toHaveLength(1);
  });

  it('ends with the last response, with its body', async () => {
    const server = await serve(status(503));
    const response = await quick()(server.url());
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('status 503');
    expect(server.seen).toHaveLength(4);
  });

  it('can be disabled', async () => {
    const server = await serve(status(503));
    expect((await resilientFetch({ retry: false })(server.url())).status).toBe(503);
    expect(server.seen).toHaveLength(1);
  });

  it('waits two, four and eight seconds, with equal jitter', async () => {
    const server = await serve(status(503));
    const { clock, fetch, waiting } = still();
    const call = fetch(server.url());
    for (const [sent, waitMs] of [2000, 4000, 8000].entries()) {
      await waiting();
      await clock.advance(waitMs - 1);
      expect(server.seen).toHaveLength(sent + 1);
      await clock.advance(1);
    }
    expect((await call).status).toBe(503);
    expect(server.seen).toHaveLength(4);
  });

  it.each([
    ['seconds', () => '7'],
    ['a date', (clock: ManualClock) => new Date(clock.now() + 7000).toUTCString()],
  ])('waits as long as Retry-After asks, in %s', async (_, value) => {
    const server = await serve(hang);
    const clock = new ManualClock(1_700_000_000_000); // on a whole second, as dates are
    const { fetch, waiting } = still({}, clock);
    server.script = [status(503, { 'retry-after': value(clock) }), ok()];
    const call = fetch(server.url());
    await waiting();
    await clock.advance(6999);
    expect(server.seen).toHaveLength(1);
    await clock.advance(1);
    expect((await call).status).toBe(200);
  });

  it('ends with the response at once when Retry-After asks for more time than there is', async () => {
    const server = await serve(status(429, { 'retry-after': '31' }));
    const { fetch } = still();
    const response = await fetch(server.url());
    expect(response.status).toBe(429);
    expect(server.seen).toHaveLength(1);
  });

  it('cancels the responses before the last, though their bodies never end', async () => {
    const server = await serve(half(503), half(503), ok());
    const response = await quick()(server.url());
    expect(response.status).toBe(200);
    const [first, second] = server.responses;
    for (const one of [first, second]) if (one?.closed === false) await once(one, 'close');
    expect([first?.writableFinished, second?.writableFinished]).toEqual([false, false]);
    await response.text();
  });

  it('calls onRetry of its options', async () => {
    const server = await serve(status(503), ok());
    const attempts: number[] = [];
    const onRetry = ({ attempt }: { attempt: number }): void => void attempts.push(attempt);
    await quick({ retry: { onRetry } })(server.url());
    expect(attempts).toEqual([1]);
  });
});

describe('a body', () => {
  it.each<[string, () => NonNullable<RequestInit['body']>, string | RegExp]>([
    ['a string', () => 'text', 'text'],
    ['bytes', () => new TextEncoder().encode('text'), 'text'],
    ['a buffer', () => new TextEncoder().encode('text').buffer, 'text'],
    ['parameters', () => new URLSearchParams({ a: '1' }), 'a=1'],
    ['a blob', () => new Blob(['text']), 'text'],
    [
      'a form',
      () => {
        const form = new FormData();
        form.set('field', 'value');
        return form;
      },
      /name="field"\r\n\r\nvalue/,
    ],
  ])('that is %s is sent again in full', async (_, make, expected) => {
    const server = await serve(status(503), cut, ok());
    expect((await quick()(server.url(), { method: 'PUT', body: make() })).status).toBe(200);
    expect(server.seen).toHaveLength(3);
    for (const { body } of server.seen) expect(body).toMatch(expected);
  });
});

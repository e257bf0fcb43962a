import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import {
  type ResilientFetch,
  type ResilientFetchOptions,
  resilientFetch,
} from '../../src/fetch/index.ts';
import { type Answer, closedPort, cut, hang, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';

const to =
  (url: string): Answer =>
  (response) => {
    response.writeHead(302, { location: url });
    response.end();
  };

/** A fetch without retries, whose circuits open after two failures. Its clock stands still. */
const make = (options: ResilientFetchOptions = {}): ResilientFetch =>
  resilientFetch({
    clock: new ManualClock(),
    retry: false,
    breaker: { failureThreshold: 2, openDurationMs: 60_000 },
    attemptTimeoutMs: 100,
    ...options,
  });

const attempt = async (fetch: ResilientFetch, url: string): Promise<unknown> => {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    return (error as { code?: string; name: string }).code ?? (error as Error).name;
  }
};

const stateOf = (fetch: ResilientFetch, url: string): string | undefined =>
  fetch.stats().breakers[new URL(url).origin]?.state;

describe('a redirect to another origin', () => {
  it.each<[string, Answer, unknown]>([
    ['answers with status 503', status(503), 503],
    ['breaks the connection', cut, 'TypeError'],
  ])(
    'that %s opens the circuit of that origin, and not of the one that redirects',
    async (_, answer, seen) => {
      const target = await serve(answer);
      const server = await serve(to(target.url('/there')));
      const fetch = make();
      for (let i = 0; i < 3; i++) expect(await attempt(fetch, server.url('/here'))).toBe(seen);
      expect(stateOf(fetch, server.url('/'))).toBe('closed');
      expect(stateOf(fetch, target.url('/'))).toBe('open');
      expect(await attempt(fetch, target.url('/directly'))).toBe('CIRCUIT_OPEN');
      server.script = [ok()];
      expect(await attempt(fetch, server.url('/here'))).toBe(200);
    },
  );

  it('that never answers opens its circuit too', async () => {
    const target = await serve(hang);
    const server = await serve(to(target.url('/there')));
    const clock = new ManualClock();
    const fetch = make({ clock });
    for (let i = 0; i < 3; i++) {
      const seen = attempt(fetch, server.url('/here'));
      await target.requests(i + 1);
      await clock.advance(100);
      expect(await seen).toBe('OPERATION_TIMEOUT');
    }
    expect(stateOf(fetch, server.url('/'))).toBe('closed');
    expect(stateOf(fetch, target.url('/'))).toBe('open');
  });

  it('that accepts no connection opens its circuit too', async () => {
    const url = await closedPort();
    const server = await serve(to(url));
    const fetch = make();
    for (let i = 0; i < 3; i++) expect(await attempt(fetch, server.url('/here'))).toBe('TypeError');
    expect([stateOf(fetch, server.url('/')), stateOf(fetch, url)]).toEqual(['closed', 'open']);
  });

  it('counts as a success of both when it is answered', async () => {
    const target = await serve(ok());
    const server = await serve(to(target.url('/there')));
    const fetch = make();
    expect(await attempt(fetch, server.url('/here'))).toBe(200);
    for (const { origin } of [server, target]) {
      const { calls } = fetch.stats().breakers[origin] as { calls: object };
      expect(calls).toMatchObject({ success: 1, failure: 0 });
    }
  });

  it('leaves the failures of the redirecting origin to that origin', async () => {
    const target = await serve(ok());
    const server = await serve(to(target.url('/there')), status(503), status(503));
    const fetch = make();
    const seen = [];
    for (let i = 0; i < 4; i++) seen.push(await attempt(fetch, server.url('/here')));
    expect(seen).toEqual([200, 503, 503, 'CIRCUIT_OPEN']);
    expect(stateOf(fetch, target.url('/'))).toBe('closed');
  });

  it('is recognised by the response of another sender', async () => {
    const response = Object.defineProperties(new Response('', { status: 503 }), {
      redirected: { value: true },
      url: { value: 'http://target.example/there' },
    });
    const fetch = make({ fetch: async () => response });
    for (let i = 0; i < 3; i++) await fetch('http://server.example/here');
    expect(stateOf(fetch, 'http://server.example/')).toBe('closed');
    expect(stateOf(fetch, 'http://target.example/')).toBe('open');
  });

  it('does not open a circuit when its caller leaves', async () => {
    const target = await serve(hang);
    const server = await serve(to(target.url('/there')));
    const fetch = make({ attemptTimeoutMs: 10_000 });
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      const call = fetch(server.url('/here'), { signal: controller.signal });
      const outcome = expect(call).rejects.toBe('left');
      await target.requests(i + 1);
      controller.abort('left');
      await outcome;
    }
    expect(stateOf(fetch, server.url('/'))).toBe('closed');
    expect(stateOf(fetch, target.url('/'))).toBeUndefined();
  });
});

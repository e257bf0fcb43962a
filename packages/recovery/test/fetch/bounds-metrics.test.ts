import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { ManualClock } from '@temper/testkit/clock';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FETCH_LIMITS, type FetchLimit, METRIC_FETCH_LIMITS } from '../../src/semconv.ts';
import { FACES, read } from './faces.ts';
import { half, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';
import { document } from './range-server.ts';

let telemetry: InMemoryTelemetry;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
});
afterEach(() => telemetry.close());

let made = 0;
/** A policy name that no other test uses. */
const unique = (): string => `bounds ${++made}`;
const limited = (name: string, limit: FetchLimit): Promise<unknown> =>
  telemetry.value('temper.fetch.limits', {
    'temper.policy.name': name,
    'temper.fetch.limit': limit,
  });
const resumed = (name: string, outcome: string): Promise<unknown> =>
  telemetry.value('temper.fetch.resumptions', {
    'temper.policy.name': name,
    'temper.outcome': outcome,
  });
const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** The address of a server that never answers a handshake. */
async function silent(): Promise<string> {
  const server = createServer((socket) => void socket.resume().on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const TEXT = 'the quick brown fox jumps over the lazy dog';
const QUICK = { initialDelayMs: 0 } as const;

describe.each(FACES)('a bound of the exchange, through %s,', (_, make) => {
  const sent: Record<FetchLimit, (name: string) => Promise<unknown>> = {
    connect_timeout: async (name) => {
      const { send } = make({ name, connectTimeoutMs: 20, retry: false });
      return failed(send(await silent()));
    },
    body_idle_timeout: async (name) => {
      const server = await serve(half());
      const { send } = make({ name, bodyIdleTimeoutMs: 20, retry: false });
      return failed(read(send(server.url())));
    },
    exchange_timeout: async (name) => {
      const server = await serve(half());
      const clock = new ManualClock();
      const { send } = make({ name, clock, exchangeTimeoutMs: 1000, retry: false });
      const answer = await send(server.url());
      await clock.advance(1000);
      return failed(read(answer));
    },
    replay_bytes: async (name) => {
      const server = await serve(status(503), ok());
      const { send } = make({ name, maxReplayBytes: 2, retry: QUICK });
      const body = new ReadableStream({
        start(controller) {
          for (const piece of ['abcd', 'ef', 'gh']) controller.enqueue(Buffer.from(piece));
          controller.close();
        },
      });
      const headers = { 'idempotency-key': '1' };
      const answer = await send(server.url(), { method: 'POST', body, headers });
      expect([answer.status, server.seen.map((one) => one.body)]).toEqual([503, ['abcdefgh']]);
      return answer;
    },
    origins: async (name) => {
      const [one, other] = [await serve(ok()), await serve(ok())];
      const { send } = make({ name, maxOrigins: 1 });
      await read(send(one.url()));
      return read(send(other.url()));
    },
  };

  it.each(FETCH_LIMITS)('is counted when it takes effect: %s', async (limit) => {
    const name = unique();
    await sent[limit](name);
    for (const one of FETCH_LIMITS) expect(await limited(name, one)).toBe(one === limit ? 1 : 0);
  });

  it('counts the bodies that were resumed, and those that were not', async () => {
    const name = unique();
    const server = await serve(...document({ text: TEXT, cuts: [10] }));
    const { send } = make({ name, retry: QUICK });
    expect(await read(send(server.url()))).toEqual([200, TEXT]);
    expect([await resumed(name, 'success'), await resumed(name, 'failure')]).toEqual([1, 0]);
    server.script = document({ text: TEXT, cuts: [10], headers: {} });
    expect(await failed(read(send(server.url())))).toBeInstanceOf(Error);
    expect([await resumed(name, 'success'), await resumed(name, 'failure')]).toEqual([1, 1]);
  });
});

it('has every bound in the definition of the metric', () => {
  expect(METRIC_FETCH_LIMITS.attributes.flatMap(({ values }) => values ?? [])).toEqual(
    FETCH_LIMITS,
  );
});

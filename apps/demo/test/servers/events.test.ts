import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { EventHub } from '../../src/live/hub.ts';
import { until } from './demo-process.ts';
import { type RunningService, runService } from './running-service.ts';

interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

interface Listener {
  readonly events: ServerEvent[];
  readonly comments: () => number;
  readonly closed: () => boolean;
  readonly close: () => void;
}

/** Opens the event stream as a browser does. */
function listen(
  { url }: Pick<RunningService, 'url'>,
  lastEventId?: string,
  given: Readonly<Record<string, string>> = {},
): Listener {
  const events: ServerEvent[] = [];
  let [text, comments, closed] = ['', 0, false];
  const headers = {
    ...given,
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  };
  const sent = request(`${url}/v1/events`, { headers }, (response) => {
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const frames = text.split('\n\n');
      text = frames.pop() as string;
      for (const frame of frames) {
        if (frame.startsWith(':')) comments += 1;
        const fields = Object.fromEntries(
          frame
            .split('\n')
            .map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
        );
        if (fields.data !== undefined) {
          events.push({
            id: fields.id as string,
            event: fields.event as string,
            data: JSON.parse(fields.data),
          });
        }
      }
    });
    response.once('close', () => {
      closed = true;
    });
  });
  sent.on('error', () => undefined).end();
  return {
    events,
    comments: () => comments,
    closed: () => closed,
    close: () => sent.destroy(),
  };
}

const named = ({ events }: Listener, name: string): readonly ServerEvent[] =>
  events.filter(({ event }) => event === name);

describe('the event stream', () => {
  it('sends events for operations, breakers, levels, audit, health, traces and faults', async () => {
    const service = await runService([]);
    const listener = listen(service);
    await until(() => named(listener, 'second').length > 1, 10_000, 'two seconds');
    expect(listener.events[0]).toMatchObject({
      event: 'hello',
      data: { faults: expect.any(Array), policies: { breakers: {} }, history: expect.any(Array) },
    });
    await service.fault('registry-outage', true);
    await until(() => named(listener, 'breaker').length > 0, 20_000, 'an open circuit');
    expect(named(listener, 'breaker')[0]?.data).toMatchObject({
      breaker: 'registry_fetch',
      from: 'closed',
      to: 'open',
    });
    expect(named(listener, 'fault')[0]?.data).toMatchObject({ name: 'registry-outage', on: true });
    for (const name of ['operations', 'audit', 'health', 'trace']) {
      await until(() => named(listener, name).length > 0, 10_000, name);
    }
    const second = named(listener, 'second').at(-1)?.data as Record<string, unknown>;
    expect(second).toMatchObject({
      breakers: { registry_fetch: { state: expect.any(String) } },
      limiters: { ast_analysis: { limit: 1000 } },
      memory: { rss: expect.any(Number) },
      eventLoop: { utilization: expect.any(Number) },
    });
    listener.close();
  });

  it('sends a reconnecting listener exactly the events that it missed', async () => {
    const service = await runService([]);
    const first = listen(service);
    await until(() => first.events.length > 5, 10_000, 'events');
    first.close();
    const last = first.events.at(-1) as ServerEvent;
    const witness = listen(service);
    await until(() => named(witness, 'second').length > 2, 10_000, 'three seconds');
    const second = listen(service, last.id);
    await until(() => named(second, 'second').length > 3, 10_000, 'four seconds');
    expect(named(second, 'hello')).toEqual([]);
    const numbers = second.events.map(({ id }) => Number(id.split('.')[1]));
    const from = Number(last.id.split('.')[1]) + 1;
    expect(numbers).toEqual(numbers.map((_, index) => from + index));
    // An id of another process is unknown.
    const stranger = listen(service, 'deadbeef.3');
    await until(() => stranger.events.length > 0, 5_000, 'a hello');
    expect(stranger.events[0]?.event).toBe('hello');
    for (const one of [witness, second, stranger]) one.close();
  });

  it('rejects the ninth listener of a client with 503, has places for another, and closes all on shutdown', async () => {
    const service = await runService(['--no-load']);
    const listeners = Array.from({ length: 8 }, () => listen(service));
    await until(() => listeners.every(({ events }) => events.length > 0), 10_000, '8 listeners');
    expect((await service.call({ path: '/v1/events' })).status).toBe(503);
    // Requests with the token are another client.
    const others = Array.from({ length: 8 }, () => listen(service, undefined, service.withToken));
    await until(() => others.every(({ events }) => events.length > 0), 10_000, '8 others');
    const headers = service.withToken;
    expect((await service.call({ path: '/v1/events', headers })).status).toBe(503);
    listeners[0]?.close();
    await until(
      async () => {
        const one = listen(service);
        await until(() => one.events.length > 0 || one.closed(), 5_000, 'an answer');
        const taken = one.events.length > 0;
        one.close();
        return taken;
      },
      10_000,
      'a free place',
    );
    service.demo.child.kill('SIGTERM');
    expect(await service.demo.exited).toEqual({ code: 0, signal: null });
    const all = [...listeners, ...others];
    await until(() => all.every(({ closed }) => closed()), 5_000, 'the end of all');
  });
});

it('an event hub is full for everybody when it has its most listeners', async () => {
  const hub = new EventHub({ maxListeners: 3, maxPerClient: 2 });
  const server = createServer((request, response) => {
    const client = request.headers['x-client'] as string;
    if (hub.isFullFor(client)) response.writeHead(503).end();
    else hub.connect(client, response, undefined, () => ({}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const listener = async (client: string): Promise<Listener | undefined> => {
    const one = listen({ url }, undefined, { 'x-client': client });
    await until(() => one.events.length > 0 || one.closed(), 10_000, 'an answer');
    return one.events.length > 0 ? one : undefined;
  };
  expect(await listener('a')).toBeDefined();
  const second = await listener('a');
  expect(second).toBeDefined();
  expect(await listener('a')).toBeUndefined();
  expect(await listener('b')).toBeDefined();
  expect(await listener('c')).toBeUndefined();
  second?.close();
  await until(() => hub.listeners === 2, 10_000, 'the end of a listener');
  expect(await listener('c')).toBeDefined();
  hub.close();
  expect(await listener('d')).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
});

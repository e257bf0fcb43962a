import http, { type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { gracefulShutdown } from '../src/index.ts';

type Answer = (response: ServerResponse) => void;

/** The `Connection` headers of an answer that is given after the shutdown has begun. */
async function connectionHeaders(answer: Answer): Promise<string[]> {
  const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
  let done: Promise<unknown> | undefined;
  const server = http.createServer((_request, response) => {
    done = shutdown.shutdown();
    answer(response);
    if (!response.writableEnded) response.end('hello');
  });
  shutdown.server(server, { idleGraceMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let text = '';
  client.on('data', (data) => {
    text += data;
  });
  await new Promise((resolve) => client.on('close', resolve));
  await done;
  expect(text).toContain('hello');
  return [...text.matchAll(/^connection: (.*)\r$/gim)].map(([, value]) => value as string);
}

describe('Connection: keep-alive of the application', () => {
  const ways: [string, Answer][] = [
    ['setHeader', (response) => response.setHeader('connection', 'keep-alive')],
    ['an object', (response) => response.writeHead(200, { Connection: 'Keep-Alive', 'x-a': '1' })],
    ['a list', (response) => response.writeHead(200, ['x-a', '1', 'connection', 'keep-alive'])],
    ['a reason', (response) => response.writeHead(200, 'fine', { connection: 'keep-alive' })],
    [
      'both',
      (response) => {
        response.setHeader('Connection', 'keep-alive');
        response.writeHead(200, { connection: 'keep-alive' });
      },
    ],
    [
      'flushHeaders',
      (response) => {
        response.setHeader('Connection', 'keep-alive');
        response.flushHeaders();
      },
    ],
  ];

  it.each(ways)('is replaced by close if it is set with %s', async (_, answer) => {
    expect(await connectionHeaders(answer)).toEqual(['close']);
  });

  it.each([
    ['close', 'close'],
    ['close, TE', 'close, TE'],
  ])('leaves the value %s of the application', async (value, expected) => {
    const answer: Answer = (response) => response.setHeader('Connection', value);
    expect(await connectionHeaders(answer)).toEqual([expected]);
  });

  it('changes no object of the application and leaves its response as it was', async () => {
    const headers = Object.freeze({ connection: 'keep-alive', 'x-a': '1' });
    let own: boolean | undefined;
    const answer: Answer = (response) => {
      response.writeHead(200, headers);
      own = Object.hasOwn(response, 'writeHead');
    };
    expect(await connectionHeaders(answer)).toEqual(['close']);
    expect(own).toBe(false);
  });
});

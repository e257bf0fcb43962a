import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Outcome } from '@temper/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { retry } from '../src/index.ts';

/** More than a socket buffers, so that an unread body holds its connection. */
const BODY = Buffer.alloc(4 * 1024 * 1024);

let server: Server;
let url: string;
const open = (): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });

beforeEach(async () => {
  server = createServer((request, response) => {
    const recovered = request.headers['x-attempt'] === '2';
    response.writeHead(recovered ? 200 : 503).end(recovered ? 'recovered' : BODY);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const get = (attempt: number): Promise<Response> =>
  fetch(url, { headers: { 'x-attempt': String(attempt) } });

describe('the connections of discarded responses', () => {
  it('are held when nobody cancels their bodies', async () => {
    const discarded: Response[] = [];
    for (let i = 0; i < 10; i++) discarded.push(await get(1));
    expect(await open()).toBe(10);
    await Promise.all(discarded.map((response) => response.body?.cancel()));
  });

  it.each([
    ['returned', (response: Response) => response],
    [
      'thrown with an error',
      (response: Response) => {
        if (response.ok) return response;
        throw Object.assign(new Error(`HTTP ${response.status}`), { response });
      },
    ],
  ])('are released by a retry, for responses that are %s', async (_, judge) => {
    const policy = retry({
      initialDelayMs: 0,
      shouldHandle: (o: Outcome<Response>) => (o.ok ? o.value.status === 503 : true),
    });
    for (let i = 0; i < 40; i++) {
      const response = await policy.execute(async ({ attempt }) => judge(await get(attempt)));
      expect(await response.text()).toBe('recovered');
    }
    expect(policy.stats()).toMatchObject({ operations: { recovered: 40 } });
    expect(await open()).toBeLessThanOrEqual(2);
  });
});

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientRateLimit, rateLimitMiddleware } from '../../src/http/index.ts';
import { fixedWindow, keyed, type RateLimiter, tokenBucket } from '../../src/index.ts';

let server: Server;
let url: string;
const statuses: number[] = [];

async function start(make: () => RateLimiter): Promise<void> {
  const limiter = keyed({ template: make() });
  const middleware = rateLimitMiddleware({
    limits: [{ name: 'per-client', limiter, key: 'address' }],
  });
  server = createServer((request, response) => {
    response.once('finish', () => statuses.push(response.statusCode));
    middleware(request, response, () => response.end('ok'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(() => {
  statuses.length = 0;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

describe('a client that follows the limits that a server announces', () => {
  it.each([
    ['a fixed window', () => fixedWindow({ limit: 5, windowMs: 1000 })],
    ['a token bucket', () => tokenBucket({ limit: 6, windowMs: 1000, burst: 6 })],
  ])(
    'is never refused by %s',
    async (_, make) => {
      await start(make);
      const api = clientRateLimit();
      const call = () => api.execute(({ signal }) => fetch(url, { signal }));
      // The first call learns the limit; then all are made at once.
      await call();
      await Promise.all(Array.from({ length: 13 }, call));
      expect(statuses).toHaveLength(14);
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
    },
    20_000,
  );

  it('would be refused if it did not follow them', async () => {
    await start(() => fixedWindow({ limit: 5, windowMs: 1000 }));
    await Promise.all(Array.from({ length: 14 }, () => fetch(url)));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
  });
});

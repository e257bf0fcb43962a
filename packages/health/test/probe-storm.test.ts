import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { healthHandler, healthMonitor } from '../src/index.ts';

it('starts each check once for 1000 concurrent requests of /readyz', async () => {
  const starts: Record<string, number> = {};
  const everybodyIsHere = Promise.withResolvers<void>();
  const check = (name: string) => ({
    name,
    ttlMs: 0, // no cache, so only sharing the probe in progress limits the starts
    check: async () => {
      starts[name] = (starts[name] ?? 0) + 1;
      await everybodyIsHere.promise;
    },
  });
  const monitor = healthMonitor({
    timeoutMs: 25_000,
    budgetMs: Number.POSITIVE_INFINITY,
    checks: [check('postgres'), check('redis'), check('kafka')],
  });
  let arrived = 0;
  const handler = healthHandler(monitor);
  const server = http.createServer((request, response) => {
    arrived++;
    handler(request, response);
    if (arrived === 1000) everybodyIsHere.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 2048, resolve));
  const { port } = server.address() as AddressInfo;

  const agent = new http.Agent({ keepAlive: false, maxSockets: 1000 });
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      http
        .get({ port, host: '127.0.0.1', path: '/readyz', agent }, (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
        })
        .on('error', reject);
    });
  const statuses = await Promise.all(Array.from({ length: 1000 }, ask));

  expect(arrived).toBe(1000);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(starts).toEqual({ postgres: 1, redis: 1, kafka: 1 });
  agent.destroy();
  await new Promise((resolve) => server.close(resolve));
}, 30_000);

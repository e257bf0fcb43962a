import { Worker } from 'node:worker_threads';
import { dispatcherInterceptor, resilientFetch } from '@temper/recovery/fetch';
import { Agent, request } from 'undici';
import type { Bench } from '../types.ts';

/** A server in a thread of its own, so that its work is not counted. */
const SERVER = `
const { createServer } = require('node:http');
const { parentPort } = require('node:worker_threads');
const bodies = { '/1k': Buffer.alloc(1024, 'x'), '/1m': Buffer.alloc(1048576, 'x') };
const server = createServer((request, response) => response.end(bodies[request.url]));
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

let server: Worker | undefined;
let users = 0;
let origin = '';

async function setup(): Promise<void> {
  users++;
  if (server !== undefined) return;
  server = new Worker(SERVER, { eval: true });
  const own = server;
  origin = await new Promise<string>((resolve) =>
    own.once('message', (port: number) => resolve(`http://127.0.0.1:${port}`)),
  );
}

async function teardown(): Promise<void> {
  users--;
  if (users > 0) return;
  await server?.terminate();
  server = undefined;
}

const guarded = resilientFetch({ name: 'bench' });
const plain = new Agent();
const agent = new Agent().compose(dispatcherInterceptor({ name: 'bench' }));

const byFetch = (send: typeof fetch, path: string) => async (): Promise<unknown> =>
  (await send(origin + path)).arrayBuffer();
const byUndici = (dispatcher: typeof plain, path: string) => async (): Promise<unknown> =>
  (await request(origin + path, { dispatcher })).body.arrayBuffer();

function rows(path: string, size: string): Bench[] {
  const common = { setup, teardown };
  const fetches = `GET of ${size}, fetch`;
  const requests = `GET of ${size}, undici request`;
  return [
    { name: 'floor', group: fetches, fn: byFetch(fetch, path), floor: true, ...common },
    { name: 'temper', group: fetches, fn: byFetch(guarded, path), ...common },
    { name: 'floor', group: requests, fn: byUndici(plain, path), floor: true, ...common },
    { name: 'temper', group: requests, fn: byUndici(agent as typeof plain, path), ...common },
  ];
}

export const http: readonly Bench[] = [...rows('/1k', '1 KiB'), ...rows('/1m', '1 MiB')];

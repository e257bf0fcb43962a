import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';

const CLIENTS = 100;
const RUNS = 5;

const SERVICE = `
  import http from 'node:http';
  import { gracefulShutdown } from '@temper/shutdown';
  const shutdown = gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, timeoutMs: 60_000, handlerTimeoutMs: 50_000 });
  const server = http.createServer((request, response) => {
    setTimeout(() => response.end('answered'), Math.random() * 20);
  });
  // The time in which a moment without connections must come, however busy the machine is.
  shutdown.server(server, { idleGraceMs: 10_000 });
  server.listen({ port: 0, host: process.argv[1] }, () => console.log(server.address().port));`;

type End = 'answered' | 'refused' | 'lost';

/** One request on a connection of its own. It is sent as soon as the connection is open. */
function request(host: string, port: number): Promise<End> {
  return new Promise((resolve) => {
    let end: End = 'lost';
    const client = connect(port, host, () => {
      client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    });
    client.on('data', (data) => {
      if (String(data).endsWith('answered')) end = 'answered';
    });
    client.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED') end = 'refused';
    });
    client.on('close', () => resolve(end));
  });
}

describe.runIf(process.platform === 'linux')('closing a listener to which clients connect', () => {
  it.each(['127.0.0.1', '::', '0.0.0.0'])(
    `resets none of the connections to %s, in ${RUNS} of ${RUNS} runs`,
    async (host) => {
      const to = host === '::' ? '::1' : '127.0.0.1';
      const counts: Record<End, number> = { answered: 0, refused: 0, lost: 0 };
      for (let run = 0; run < RUNS; run++) {
        const service = spawn(process.execPath, ['--input-type=module', '--eval', SERVICE, host], {
          stdio: ['ignore', 'pipe', 'inherit'],
          cwd: new URL('../..', import.meta.url),
        });
        const port = Number(await once(service.stdout, 'data'));
        let open = 0;
        // Each client connects again until it is refused.
        const client = async (): Promise<void> => {
          let end: End;
          do {
            end = await request(to, port);
            counts[end]++;
            if (++open === 3 * CLIENTS) service.kill('SIGTERM');
          } while (end !== 'refused');
        };
        await Promise.all([once(service, 'exit'), ...Array.from({ length: CLIENTS }, client)]);
      }
      expect(counts).toMatchObject({ lost: 0, refused: RUNS * CLIENTS });
    },
    300_000,
  );
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

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

/** How requests ended. */
export type Ends = Record<'answered' | 'refused' | 'lost', number>;

/** One request on a connection of its own. It is sent as soon as the connection is open. */
function request(host: string, port: number): Promise<keyof Ends> {
  return new Promise((resolve) => {
    let end: keyof Ends = 'lost';
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

/** Options of {@link closeUnderConnections}. */
export interface ClosingOptions {
  /** Address on which the service listens. */
  readonly host: string;
  /** Address to which the clients connect. */
  readonly to: string;
  /** Each connects again until it is refused. */
  readonly clients: number;
  /** Requests of each, in the mean, before the service is told to end. */
  readonly requests?: number;
  /** A command that runs the service, with its arguments. */
  readonly prefix?: readonly string[];
}

/** Starts a service and clients that connect for every request, and sends it SIGTERM. */
export async function closeUnderConnections(options: ClosingOptions): Promise<Ends> {
  const { host, to, clients, requests = 3, prefix = [] } = options;
  const node = [process.execPath, '--input-type=module', '--eval', SERVICE, host];
  const [command = '', ...args] = [...prefix, ...node];
  const service = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: new URL('../..', import.meta.url),
  });
  const port = Number(await once(service.stdout, 'data'));
  const ends: Ends = { answered: 0, refused: 0, lost: 0 };
  let open = 0;
  const client = async (): Promise<void> => {
    let end: keyof Ends;
    do {
      end = await request(to, port);
      ends[end]++;
      if (++open === requests * clients) service.kill('SIGTERM');
    } while (end !== 'refused');
  };
  await Promise.all([once(service, 'exit'), ...Array.from({ length: clients }, client)]);
  return ends;
}

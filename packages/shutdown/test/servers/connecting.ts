import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** How long the service keeps a connection open on which nothing has come. */
const IDLE_GRACE_MS = 10_000;

const SERVICE = `
  import fs from 'node:fs';
  import http from 'node:http';
  import net from 'node:net';
  import { gracefulShutdown } from '@temper/shutdown';
  const shutdown = gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, timeoutMs: 60_000, handlerTimeoutMs: 50_000 });
  const server = http.createServer((request, response) => {
    setTimeout(() => response.end('answered'), Math.random() * 20);
  });
  // The time in which a moment without connections must come, however busy the machine is.
  shutdown.server(server, { idleGraceMs: ${IDLE_GRACE_MS} });
  const now = () => performance.timeOrigin + performance.now();
  const accepted = [];
  server.on('connection', (socket) => {
    const one = { port: socket.remotePort };
    accepted.push(one);
    socket.on('close', () => Object.assign(one, { read: socket.bytesRead, closedAt: now() }));
  });
  process.on('exit', () => fs.writeFileSync(process.argv[2], JSON.stringify({ accepted, listenerClosedAt })));
  let listenerClosedAt;
  const { close } = net.Server.prototype;
  net.Server.prototype.close = function (...args) {
    listenerClosedAt = now();
    return close.apply(this, args);
  };
  server.listen({ port: 0, host: process.argv[1] }, () => console.log(server.address().port));`;

/** How requests ended. */
export interface Ends {
  readonly answered: number;
  readonly refused: number;
  /** A line for each that ended otherwise. */
  readonly lost: readonly string[];
  /**
   * A line for each that the kernel reset by itself. Linux before 6.19 does not find a connection whose last
   * packet of the handshake it takes on one processor while it takes the first packet after it on another ("inet:
   * Avoid ehash lookup race in inet_ehash_insert()"), and resets the client. The server's side of the connection is
   * not told: the server has it open long after the client's end, and has never read a byte of it.
   */
  readonly resetByKernel: readonly string[];
}

/** How one request ended. */
interface End {
  readonly end: 'answered' | 'refused' | 'lost';
  readonly code: string | undefined;
  /** Of the client's connection. */
  readonly port: number | undefined;
  readonly openedAt: number | undefined;
  readonly endedAt: number;
}

/** What the service says of itself when it ends. Times are in milliseconds since the epoch. */
interface Account {
  readonly listenerClosedAt: number;
  readonly accepted: readonly {
    readonly port: number;
    readonly read?: number;
    readonly closedAt?: number;
  }[];
}

const now = () => performance.timeOrigin + performance.now();

/** One request on a connection of its own. It is sent as soon as the connection is open. */
function request(host: string, to: number): Promise<End> {
  return new Promise((resolve) => {
    let end: End['end'] = 'lost';
    let code: string | undefined;
    let port: number | undefined;
    let openedAt: number | undefined;
    const client = connect(to, host, () => {
      openedAt = now();
      port = client.localPort;
      client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    });
    client.on('data', (data) => {
      if (String(data).endsWith('answered')) end = 'answered';
    });
    client.on('error', (error: NodeJS.ErrnoException) => {
      ({ code } = error);
      if (code === 'ECONNREFUSED') end = 'refused';
    });
    client.on('close', () => resolve({ end, code, port, openedAt, endedAt: now() }));
  });
}

/** The lost requests, told apart by what the service knows of their connections. */
function judge(lost: readonly End[], account: Account, toldAt: number) {
  const ends = { lost: [] as string[], resetByKernel: [] as string[] };
  for (const { code, port, openedAt, endedAt } of lost) {
    const connection = account.accepted.findLast((each) => each.port === port);
    const { closedAt, read } = connection ?? {};
    const held = (closedAt ?? 0) - endedAt;
    const isKernels = code === 'ECONNRESET' && read === 0 && held > IDLE_GRACE_MS / 2;
    ends[isKernels ? 'resetByKernel' : 'lost'].push(
      JSON.stringify({
        code,
        openedAfterSignal: ms(openedAt, toldAt),
        endedAfterSignal: ms(endedAt, toldAt),
        listenerClosedAfterSignal: ms(account.listenerClosedAt, toldAt),
        accepted: connection !== undefined,
        read,
        heldByServerAfterIt: connection && Math.round(held),
      }),
    );
  }
  return ends;
}

function ms(at: number | undefined, since: number): number | undefined {
  return at === undefined ? undefined : Math.round((at - since) * 10) / 10;
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
  const account = join(mkdtempSync(join(tmpdir(), 'temper-connecting-')), 'account.json');
  const node = [process.execPath, '--input-type=module', '--eval', SERVICE, host, account];
  const [command = '', ...args] = [...prefix, ...node];
  const service = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: new URL('../..', import.meta.url),
  });
  const port = Number(await once(service.stdout, 'data'));
  const ends: End[] = [];
  let toldAt = 0;
  const client = async (): Promise<void> => {
    let last: End;
    do {
      last = await request(to, port);
      if (ends.push(last) === requests * clients) {
        toldAt = now();
        service.kill('SIGTERM');
      }
    } while (last.end !== 'refused');
  };
  await Promise.all([once(service, 'exit'), ...Array.from({ length: clients }, client)]);
  const told = JSON.parse(readFileSync(account, 'utf8')) as Account;
  rmSync(dirname(account), { recursive: true });
  const having = (end: End['end']) => ends.filter((each) => each.end === end);
  return {
    answered: having('answered').length,
    refused: having('refused').length,
    ...judge(having('lost'), told, toldAt),
  };
}

const SERVICE_WITH_LATE_CLIENTS = `
  import { spawnSync } from 'node:child_process';
  import http from 'node:http';
  import { gracefulShutdown } from '@temper/shutdown';
  const shutdown = gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0, timeoutMs: 20_000 });
  const server = http.createServer((request, response) => response.end('answered'));
  shutdown.server(server);
  const [, before, behind, folder] = process.argv;
  let clients = 0;
  // A client connects and sends while this process stands still, and goes on in the background.
  const connect = () => {
    const request = 'GET / HTTP/1.1\\\\r\\\\nHost: a\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n';
    const script = 'exec 3<>/dev/tcp/127.0.0.1/' + server.address().port + '; printf "' + request + '" >&3; cat <&3 >' + folder + '/' + clients++ + ' 2>&1 &';
    const { status } = spawnSync('bash', ['-c', script], { stdio: 'ignore' });
    if (status !== 0) throw new Error('The client could not connect');
  };
  server.listen({ port: 0, host: '127.0.0.1' }, () => {
    const { _handle: handle } = server;
    const { listen } = handle;
    let calls = 0;
    handle.listen = (length) => {
      // The queue of the first try: made long, filled, made short.
      calls++;
      if (calls === 1) for (let n = 0; n < before; n++) connect();
      if (calls === 2) for (let n = 0; n < behind; n++) connect();
      return listen.call(handle, length);
    };
    process.kill(process.pid, 'SIGTERM');
  });`;

/**
 * Ends a service to which clients connect in the turn of its event loop in which it closes: before its own
 * connection fills the accept queue, and behind that, before the queue is short.
 *
 * @returns what each client got
 */
export async function closeUnderLateClients(before: number, behind: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'temper-late-'));
  const args = ['--input-type=module', '--eval', SERVICE_WITH_LATE_CLIENTS];
  const service = spawn(process.execPath, [...args, `${before}`, `${behind}`, folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: new URL('../..', import.meta.url),
  });
  await once(service, 'exit');
  const got = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  rmSync(folder, { recursive: true });
  return got;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { accountFile, judge } from './account.ts';
import { now } from './client/line.ts';
import { type LoadOptions, Tally } from './client/tally.ts';
import { PROTOCOLS, type Protocol, type ProtocolName, ROWS } from './protocols.ts';
import { LIMIT_MS } from './tools.ts';

/** What one run measures. */
export interface Cell {
  readonly tool: string;
  readonly row: string;
  readonly protocol: ProtocolName;
}

/** Result of one run. */
export interface Run {
  readonly sent: number;
  readonly lost: number;
  /** Why requests were lost, each reason with its count. */
  readonly reasons: Readonly<Record<string, number>>;
  /** A line for each of them: where it was lost, and what the service knows of its connection. */
  readonly losses: readonly string[];
  /** A line for each request whose connection the kernel of the machine reset by itself; not lost. */
  readonly resetByKernel: readonly string[];
  /** Connections, or streams of HTTP/2, that were refused. */
  readonly refused: number;
  /** Requests in flight when SIGTERM was sent. */
  readonly inFlight: number;
  /** Time from SIGTERM to the end of the process, in milliseconds. */
  readonly endedMs: number;
  /** Exit code, or the signal that ended the process. */
  readonly end: string;
}

/** Time from SIGTERM to SIGKILL, in milliseconds. */
const KILL_MS = LIMIT_MS + 3000;

const SERVICE = fileURLToPath(new URL('../dist/service.js', import.meta.url));

/**
 * Starts a service and 240 clients, and sends it SIGTERM at a random moment.
 *
 * @param idleGraceMs - for how long @temper/shutdown keeps an idle connection. Default: its own
 */
export async function run(
  cell: Cell,
  whenTold: LoadOptions['whenTold'],
  idleGraceMs?: number,
): Promise<Run> {
  const row = ROWS[cell.row];
  if (row === undefined) throw new Error(`no row ${cell.row}`);
  const protocol: Protocol = PROTOCOLS[cell.protocol];
  const transport = row.fallback ? 'h2' : protocol.transport;
  using account = accountFile();
  const service = spawn(process.execPath, [SERVICE], {
    env: {
      ...process.env,
      NODE_ENV: 'production',
      FRAMEWORK: row.framework,
      TRANSPORT: transport,
      TOOL: cell.tool,
      ACCOUNT: account.path,
      ...(idleGraceMs === undefined ? {} : { IDLE_GRACE_MS: String(idleGraceMs) }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  service.stderr.on('data', (data) => {
    said += data;
  });
  const ended = once(service, 'exit') as Promise<[number | null, string | null]>;
  try {
    const port = await portOf(service.stdout, ended, () => said);
    const tally = new Tally();
    const load = protocol.load({ port, tally, workers: 240, whenTold }, transport !== 'plain');
    // Every client has connected.
    while (tally.answered < 240 || tally.inFlight < 190) await sleep(2);
    await sleep(Math.random() * 300);
    // A random moment, but not one in which the machine has kept the clients from sending.
    while (tally.inFlight < 190) await sleep(1);
    const { inFlight } = tally;
    const toldAt = now();
    service.kill('SIGTERM');
    const killing = setTimeout(() => service.kill('SIGKILL'), KILL_MS);
    const [code, signal] = await ended;
    clearTimeout(killing);
    const endedMs = Math.round(now() - toldAt);
    load.stop();
    await load.done;
    const reasons: Record<string, number> = {};
    const { lost, resetByKernel } = judge(tally.lost, account.read(), toldAt);
    for (const { reason } of lost) reasons[reason] = (reasons[reason] ?? 0) + 1;
    const losses = lost.map(({ line }) => line);
    const { sent, refused } = tally;
    const end = String(code ?? signal);
    const counts = { sent, lost: lost.length, reasons, losses, resetByKernel };
    return { ...counts, refused, inFlight, endedMs, end };
  } finally {
    service.kill('SIGKILL');
  }
}

async function portOf(
  output: NodeJS.ReadableStream,
  ended: Promise<unknown>,
  errors: () => string,
): Promise<number> {
  let text = '';
  const found = new Promise<number>((resolve) => {
    output.on('data', (data) => {
      text += data;
      const port = /listening (\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
  const port = await Promise.race([found, ended]);
  if (typeof port === 'number') return port;
  throw new Error(`The service did not start: ${errors()}`);
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { now } from './client/line.ts';
import type { Loss } from './client/tally.ts';
import type { Server } from './frameworks/app.ts';

/** A connection that a service has accepted. Times are in milliseconds since the epoch. */
interface Accepted {
  /** The port of the client. */
  readonly port: number | undefined;
  readonly acceptedAt: number;
  /** Bytes that the service has read, of TLS before they are deciphered. */
  read?: number;
  closedAt?: number;
}

/** What a service knows of its connections when it ends. */
export interface Account {
  readonly accepted: readonly Accepted[];
  readonly endedAt: number;
}

/** Writes the account of a server to a file when the process exits. */
export function keepAccount(server: Server, path: string): void {
  const accepted: Accepted[] = [];
  const open = new Map<Socket, Accepted>();
  server.on('connection', (socket: Socket) => {
    const one: Accepted = { port: socket.remotePort, acceptedAt: now() };
    accepted.push(one);
    open.set(socket, one);
    socket.once('close', () => {
      open.delete(socket);
      Object.assign(one, { read: socket.bytesRead, closedAt: now() });
    });
  });
  process.once('exit', () => {
    for (const [socket, one] of open) one.read = socket.bytesRead;
    writeFileSync(path, JSON.stringify({ accepted, endedAt: now() } satisfies Account));
  });
}

/** The file for the account of one service. */
export function accountFile(): {
  readonly path: string;
  /** Undefined if the service was killed before it could write it. */
  read(): Account | undefined;
  [Symbol.dispose](): void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'temper-account-'));
  const path = join(folder, 'account.json');
  return {
    path,
    read: () => {
      try {
        return JSON.parse(readFileSync(path, 'utf8')) as Account;
      } catch {
        return undefined;
      }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * How long a service must have held a connection after its client was reset, in milliseconds, for the reset to
 * be the kernel's. Less than @temper/shutdown keeps an idle connection by default, which is a second.
 */
const HELD_MS = 500;

/**
 * Tells requests that a service has lost from those whose connection the kernel has reset by itself, and
 * describes each.
 *
 * Linux before 6.19 may take the end of a handshake of TCP and the first packet after it on two processors at
 * the same time. It then does not find the connection, and resets the client ("inet: Avoid ehash lookup race in
 * inet_ehash_insert()"). The service is not told: it has accepted the connection, never reads a byte of it, and
 * has it open long after the client was reset. One that closes a connection does so before its client sees it.
 */
export function judge(
  losses: readonly Loss[],
  account: Account | undefined,
  toldAt: number,
): {
  readonly lost: readonly { readonly reason: string; readonly line: string }[];
  readonly resetByKernel: readonly string[];
} {
  const lost: { reason: string; line: string }[] = [];
  const resetByKernel: string[] = [];
  for (const { reason, code, phase, port, connectedAt, lostAt, received } of losses) {
    const found =
      port === undefined ? undefined : account?.accepted.findLast((each) => each.port === port);
    const heldMs =
      account && found ? (found.closedAt ?? account.endedAt) - lostAt : Number.NEGATIVE_INFINITY;
    const line = JSON.stringify({
      reason,
      phase,
      received,
      connectedMs: since(toldAt, connectedAt),
      lostMs: since(toldAt, lostAt),
      service:
        account === undefined
          ? 'no account'
          : found === undefined
            ? 'not accepted'
            : {
                acceptedMs: since(toldAt, found.acceptedAt),
                read: found.read,
                closedMs: since(toldAt, found.closedAt),
              },
    });
    const isKernels =
      code === 'ECONNRESET' && received === 0 && found?.read === 0 && heldMs > HELD_MS;
    if (isKernels) resetByKernel.push(line);
    else lost.push({ reason, line });
  }
  return { lost, resetByKernel };
}

/** Time after the signal, in milliseconds. */
function since(toldAt: number, at: number | undefined): number | undefined {
  return at === undefined ? undefined : Math.round((at - toldAt) * 10) / 10;
}

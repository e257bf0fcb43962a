import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { builtinModule, notify } from '@temper/core/policy';
import { HttpGuard } from './guard.ts';
import { nodeRequest } from './node-request.ts';
import type { HttpRateLimitOptions } from './options.ts';

/** A listener for the event `upgrade` of a Node server. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Limits upgrades, such as to WebSockets, which pass by every middleware. A refused one gets the response
 * that a request would get, and its connection is closed. Permits of a concurrency limit are held until
 * the connection is closed; its answer, to `countOnly` and `settle`, has status 101 then.
 *
 * ```ts
 * const sockets = new WebSocketServer({ noServer: true });
 * server.on('upgrade', rateLimitUpgrade(
 *   { limits: [{ name: 'sockets', limiter: perClient, key: 'address' }] },
 *   (request, socket, head) => sockets.handleUpgrade(request, socket, head, (ws) => serve(ws)),
 * ));
 * ```
 *
 * An error of `key` or `cost` is answered by 500, and logged.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function rateLimitUpgrade(
  options: HttpRateLimitOptions,
  next: UpgradeListener,
): UpgradeListener {
  const guard = new HttpGuard('rateLimitUpgrade', options);
  return (request, socket, head) => {
    // A client may hang up while a shared limit is asked; nobody else listens yet.
    const ignoreErrors = (): void => undefined;
    socket.on('error', ignoreErrors);
    const answered = (async () => {
      const { refusal, fields, release } = await guard.ask(nodeRequest(request));
      if (refusal !== undefined) {
        refuse(socket, refusal.status, { ...fields, ...refusal.headers }, refusal.body);
        return;
      }
      if (socket.destroyed) {
        release({ status: undefined, served: false });
        return;
      }
      socket.once('close', () => release({ status: 101, served: true }));
      socket.off('error', ignoreErrors);
      next(request, socket, head);
    })();
    notify('rateLimitUpgrade', 'the upgrade', () =>
      answered.catch((error: unknown) => {
        refuse(socket, 500, {}, '');
        throw error;
      }),
    );
  };
}

function reasonOf(status: number): string {
  return builtinModule<typeof import('node:http')>('node:http')?.STATUS_CODES[status] ?? '';
}

function refuse(
  socket: Duplex,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  if (socket.destroyed) return;
  const lines = [
    `HTTP/1.1 ${status} ${reasonOf(status)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

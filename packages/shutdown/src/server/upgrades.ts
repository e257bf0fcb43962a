import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { notify } from '@temper/core/policy';

/** Anything with the shape of a WebSocket server of `ws`. */
export interface WebSocketServerLike {
  readonly clients: Iterable<{ close(code: number, reason: string): void }>;
}

/** Close code of RFC 6455, section 7.4.1: the endpoint is going away. */
const GOING_AWAY = 1001;

/** A close frame of RFC 6455, section 5.5.1: final, unmasked, with the code {@link GOING_AWAY}. */
const CLOSE_FRAME = Buffer.from([0x88, 0x02, GOING_AWAY >> 8, GOING_AWAY & 0xff]);

/** Closes a connection that was upgraded to another protocol. */
export type CloseUpgraded = (socket: Socket, request: IncomingMessage) => void;

/** Tracks the sockets that a server has handed over to other protocols. */
export class UpgradedSockets {
  readonly #webSockets: readonly WebSocketServerLike[];
  readonly #close: CloseUpgraded;
  readonly #owner: string;
  readonly #sockets = new Map<Socket, { readonly request: IncomingMessage; closing: boolean }>();
  #draining = false;

  /** @param owner - the shutdown's name, for the log */
  constructor(
    owner: string,
    webSockets: readonly WebSocketServerLike[],
    close: CloseUpgraded | undefined,
  ) {
    this.#webSockets = webSockets;
    this.#close = close ?? ((socket, request) => this.#closeByProtocol(socket, request));
    this.#owner = owner;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** Tracks a socket that was handed over. */
  readonly opened = (socket: Socket, request: IncomingMessage): void => {
    this.#sockets.set(socket, { request, closing: false });
    socket.once('close', () => this.#sockets.delete(socket));
    // Deferred, so that the user's listener has answered the upgrade.
    if (this.#draining) setImmediate(() => this.drain());
  };

  /** Closes every WebSocket client and every tracked socket, including later ones. */
  drain(): void {
    this.#draining = true;
    for (const server of this.#webSockets) {
      // The list of clients is foreign code too: reading or iterating it may throw.
      notify(this.#owner, 'webSockets', () => this.#closeClients(server));
    }
    for (const [socket, upgraded] of this.#sockets) {
      if (upgraded.closing) continue;
      upgraded.closing = true;
      notify(this.#owner, 'closeUpgraded', this.#close, socket, upgraded.request);
    }
  }

  #closeClients({ clients }: WebSocketServerLike): void {
    for (const client of clients) {
      notify(this.#owner, 'webSockets', () => client.close(GOING_AWAY, 'going away'));
    }
  }

  /** Destroys every socket. */
  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #closeByProtocol(socket: Socket, request: IncomingMessage): void {
    if (!socket.writable) return;
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      socket.end();
    } else if (this.#webSockets.length === 0) {
      // The peer answers with a close frame, after which the library ends the connection.
      socket.write(CLOSE_FRAME);
    }
  }
}

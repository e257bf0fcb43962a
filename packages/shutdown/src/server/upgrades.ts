import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { notify } from '@temper/core';

/** A WebSocket server, by its shape: that of `ws`. */
export interface WebSocketServerLike {
  readonly clients: Iterable<{ close(code: number, reason: string): void }>;
}

/** RFC 6455, 7.4.1: the endpoint is going away, such as a server going down. */
const GOING_AWAY = 1001;

/** RFC 6455, 5.5.1: a final close frame, unmasked as a server's are, with {@link GOING_AWAY}. */
const CLOSE_FRAME = Buffer.from([0x88, 0x02, GOING_AWAY >> 8, GOING_AWAY & 0xff]);

/** How a connection that is no longer HTTP is told. */
export type TellUpgraded = (socket: Socket, request: IncomingMessage) => void;

/** The sockets that a server has handed over to other protocols. */
export class UpgradedSockets {
  readonly #webSockets: readonly WebSocketServerLike[];
  readonly #tell: TellUpgraded;
  readonly #onError: (error: unknown) => void;
  readonly #sockets = new Map<Socket, { readonly request: IncomingMessage; told: boolean }>();
  #draining = false;

  constructor(
    webSockets: readonly WebSocketServerLike[],
    tell: TellUpgraded | undefined,
    onError: (error: unknown) => void,
  ) {
    this.#webSockets = webSockets;
    this.#tell = tell ?? ((socket, request) => this.#tellAsItself(socket, request));
    this.#onError = onError;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** Takes in a socket that has been handed over. */
  readonly opened = (socket: Socket, request: IncomingMessage): void => {
    this.#sockets.set(socket, { request, told: false });
    socket.once('close', () => this.#sockets.delete(socket));
    // Once the user's own listener has answered the upgrade.
    if (this.#draining) setImmediate(() => this.drain());
  };

  /** Tells everybody, once, that the server is going. */
  drain(): void {
    this.#draining = true;
    for (const { clients } of this.#webSockets) {
      for (const client of clients) {
        notify(() => client.close(GOING_AWAY, 'going away'), undefined, this.#onError);
      }
    }
    for (const [socket, upgraded] of this.#sockets) {
      if (upgraded.told) continue;
      upgraded.told = true;
      notify(() => this.#tell(socket, upgraded.request), undefined, this.#onError);
    }
  }

  /** Ends every socket. */
  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #tellAsItself(socket: Socket, request: IncomingMessage): void {
    if (!socket.writable) return;
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      socket.end();
    } else if (this.#webSockets.length === 0) {
      // The peer answers with a close frame of its own, on which any library ends the connection.
      socket.write(CLOSE_FRAME);
    }
  }
}

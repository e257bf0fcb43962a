import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@temper/core';
import { notify, type Scheduled } from '@temper/core/policy';
import { nextTurn } from './loop-turn.ts';
import { UpgradedActivity } from './upgraded-activity.ts';

interface WebSocketClientLike {
  close(code: number, reason: string): void;
}

/** Anything with the shape of a WebSocket server of `ws`. */
export interface WebSocketServerLike {
  readonly clients: Iterable<WebSocketClientLike>;
}

/** Close code of RFC 6455, section 7.4.1: the endpoint is going away. */
const GOING_AWAY = 1001;

/** A close frame of RFC 6455, section 5.5.1: final, unmasked, with the code {@link GOING_AWAY}. */
const CLOSE_FRAME = Buffer.from([0x88, 0x02, GOING_AWAY >> 8, GOING_AWAY & 0xff]);

/** Interval of looking for connections that can be closed, in milliseconds. */
const LOOK_MS = 20;
/** Longest time that the closing handshakes have at the end of the drain, in milliseconds. */
const HANDSHAKE_MS = 1000;

/** Closes a connection that was upgraded to another protocol. */
export type CloseUpgraded = (socket: Socket, request: IncomingMessage) => void;

/** Options of {@link UpgradedSockets}. */
export interface UpgradeOptions {
  /** The shutdown's name, for the log. */
  readonly owner: string;
  readonly clock: Clock;
  readonly webSockets: readonly WebSocketServerLike[];
  readonly closeUpgraded: CloseUpgraded | undefined;
  /** How long the answer to a message is waited for, in milliseconds. */
  readonly graceMs: number;
  /** Time limit of the drain, in milliseconds. */
  readonly limitMs: number;
  /** Whether tracked work is pending, which may be the answer to a message. */
  readonly isBusy: () => boolean;
}

/** A socket that was handed over to another protocol. */
interface Upgraded {
  readonly request: IncomingMessage;
  readonly activity: UpgradedActivity;
  closing: boolean;
}

/**
 * Tracks the sockets that a server has handed over to other protocols. None of these protocols can say
 * "finish what you have sent" as HTTP does: after the close frame of a WebSocket no answer may be sent.
 * So a connection is closed right after an answer or when it is idle, and no tracked work is pending.
 */
export class UpgradedSockets {
  readonly #options: UpgradeOptions;
  readonly #sockets = new Map<Socket, Upgraded>();
  readonly #closed = new WeakSet<WebSocketClientLike>();
  /** Servers whose list of clients has thrown. */
  readonly #broken = new WeakSet<WebSocketServerLike>();
  #announced = false;
  /** Monotonic time of the beginning of the drain. */
  #since: number | undefined;
  #timer: Scheduled | undefined;

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  /** Tracks a socket that was handed over. */
  readonly opened = (socket: Socket, request: IncomingMessage): void => {
    const activity = new UpgradedActivity(socket, this.#options.clock);
    this.#sockets.set(socket, { request, activity, closing: false });
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#announced) activity.watch(() => this.#wrote(activity));
    // Deferred, so that the user's listener has answered the upgrade.
    if (this.#since !== undefined) nextTurn(() => this.drain());
  };

  /** Notices from now on which messages are answered. */
  announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    for (const { activity } of this.#sockets.values()) {
      activity.watch(() => this.#wrote(activity));
    }
  }

  /** Closes every WebSocket client and every tracked socket, including later ones. */
  drain(): void {
    this.announce();
    this.#since ??= this.#options.clock.monotonic();
    this.#close();
    this.#look();
  }

  /** Destroys every socket. */
  destroy(): void {
    this.#timer?.cancel();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #look(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#options.clock.schedule(() => {
      this.#timer = undefined;
      if (this.#close()) this.#look();
    }, LOOK_MS);
    // The drain waits for the connections.
    this.#timer.unref();
  }

  /** Closes a connection on which something has just been sent, if that was the last it waited for. */
  #wrote(activity: UpgradedActivity): void {
    const { clock, graceMs } = this.#options;
    // It is called for every message.
    if (this.#since !== undefined && clock.monotonic() - this.#since >= graceMs) {
      this.#close(activity);
    }
  }

  /**
   * Closes what is due.
   *
   * @param wrote - looks at this connection only, on which something has just been sent
   * @returns whether anything is left to close
   */
  #close(wrote?: UpgradedActivity): boolean {
    const { owner, webSockets } = this.#options;
    if (this.#since === undefined) return false;
    let left = false;
    for (const client of webSockets.flatMap((server) => this.#clientsOf(server))) {
      if (this.#closed.has(client)) continue;
      // Not documented by `ws`. Without it the client is closed after the grace.
      const { _socket: socket } = client as { readonly _socket?: Socket };
      const activity = socket && this.#sockets.get(socket)?.activity;
      if (wrote !== undefined && activity !== wrote) continue;
      if (!this.#isDue(activity, wrote)) {
        left = true;
        continue;
      }
      this.#closed.add(client);
      activity?.unwatch();
      notify(owner, 'webSockets', () => client.close(GOING_AWAY, 'going away'));
    }
    for (const [socket, upgraded] of this.#sockets) {
      if (upgraded.closing || (wrote !== undefined && upgraded.activity !== wrote)) continue;
      upgraded.closing = this.#closeSocket(socket, upgraded, wrote);
      left ||= !upgraded.closing;
    }
    return left;
  }

  /** The list of clients is foreign code too: reading or iterating it may throw. */
  #clientsOf(server: WebSocketServerLike): WebSocketClientLike[] {
    const clients: WebSocketClientLike[] = [];
    if (this.#broken.has(server)) return clients;
    this.#broken.add(server);
    notify(this.#options.owner, 'webSockets', () => {
      for (const client of server.clients) clients.push(client);
      this.#broken.delete(server);
    });
    return clients;
  }

  #isDue(activity: UpgradedActivity | undefined, wrote: UpgradedActivity | undefined): boolean {
    const { clock, graceMs, limitMs, isBusy } = this.#options;
    const since = this.#since as number;
    const now = clock.monotonic();
    if (now - since >= limitMs - Math.min(HANDSHAKE_MS, limitMs / 2)) return true;
    if (isBusy()) return false;
    return activity === undefined
      ? now - since >= graceMs
      : activity.isQuiet(graceMs, since, activity === wrote);
  }

  /** Closes a socket if it is due. @returns false if it must be asked again */
  #closeSocket(
    socket: Socket,
    { request, activity }: Upgraded,
    wrote: UpgradedActivity | undefined,
  ): boolean {
    const { owner, closeUpgraded, webSockets } = this.#options;
    if (closeUpgraded !== undefined) {
      activity.unwatch();
      notify(owner, 'closeUpgraded', closeUpgraded, socket, request);
      return true;
    }
    if (!socket.writable) return true;
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    // Its client is closed through its WebSocket server.
    if (isWebSocket && webSockets.length > 0) return true;
    if (!this.#isDue(activity, wrote)) return false;
    activity.unwatch();
    // After a close frame the peer sends one too, and the library ends the connection.
    if (isWebSocket) socket.write(CLOSE_FRAME);
    else socket.end();
    return true;
  }
}

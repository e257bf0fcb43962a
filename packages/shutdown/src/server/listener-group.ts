import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server as NetServer } from 'node:net';
import { activeHandles } from '../handles.ts';
import { type DrainOptions, ServerDrain } from './drain.ts';

/** Options of {@link ListenerGroup}. */
export interface ListenerGroupOptions extends DrainOptions {
  /** Whether to find the other listeners of the same app. */
  readonly siblings: boolean;
  /** Whether the user has registered a server itself, with its own options. */
  readonly isRegistered: (server: NetServer) => boolean;
}

/** Published by Node when a server begins to listen, before it accepts a connection. */
const LISTEN_CHANNEL = 'tracing:net.server.listen:asyncStart';

/**
 * All listeners of one app. A framework may open more than the one it exposes: Fastify listens on
 * every address of `localhost` with a server each. They are recognized by the request listener that
 * they share.
 */
export class ListenerGroup implements Disposable {
  readonly server: NetServer;
  readonly #options: ListenerGroupOptions;
  readonly #drains = new Map<NetServer, ServerDrain>();
  #announced = false;
  #stopping = false;

  constructor(server: NetServer, options: ListenerGroupOptions) {
    this.server = server;
    this.#options = options;
    this.#add(server);
    if (!options.siblings) return;
    subscribe(LISTEN_CHANNEL, this.#onListen);
    this.#findSiblings();
  }

  /** Whether any of them accepts connections. */
  get listening(): boolean {
    return [...this.#drains.keys()].some((server) => server.listening);
  }

  /** Requests without a complete response. */
  get inFlight(): number {
    return this.#sum((drain) => drain.inFlight);
  }

  /** Requests whose connections {@link destroy} has ended. */
  get cutOff(): number {
    return this.#sum((drain) => drain.cutOff);
  }

  /** Leaves a sibling to the group that was created for it. */
  release(server: NetServer): void {
    if (server === this.server) return;
    this.#drains.get(server)?.[Symbol.dispose]();
    this.#drains.delete(server);
  }

  /** Makes every connection close after its next response. The servers keep serving. */
  announce(): void {
    this.#announced = true;
    this.#findSiblings();
    for (const drain of this.#drains.values()) drain.announce();
  }

  /** Stops accepting connections, and closes each connection as soon as it is idle. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#findSiblings();
    await Promise.all([...this.#drains.values()].map((drain) => drain.stop()));
  }

  /** Resolves when the last connection has closed. {@link stop} must have been called. */
  async drained(): Promise<void> {
    // A listener may open meanwhile.
    for (let drained = 0; drained < this.#drains.size; ) {
      drained = this.#drains.size;
      await Promise.all([...this.#drains.values()].map((drain) => drain.drained()));
    }
  }

  /** Destroys every connection, including those with open requests. */
  destroy(): void {
    for (const drain of this.#drains.values()) drain.destroy();
  }

  /** Removes its listeners from the servers. */
  [Symbol.dispose](): void {
    unsubscribe(LISTEN_CHANNEL, this.#onListen);
    for (const drain of this.#drains.values()) drain[Symbol.dispose]();
  }

  #sum(of: (drain: ServerDrain) => number): number {
    let sum = 0;
    for (const drain of this.#drains.values()) sum += of(drain);
    return sum;
  }

  #add(server: NetServer): void {
    const drain = new ServerDrain(server, this.#options);
    this.#drains.set(server, drain);
    if (this.#announced) drain.announce();
    if (this.#stopping) void drain.stop();
  }

  readonly #onListen = (message: unknown): void => {
    const { server } = message as { server?: unknown };
    if (server instanceof NetServer) this.#addSibling(server);
  };

  /** Finds siblings that already listen, and those of a Node version without the channel. */
  #findSiblings(): void {
    if (!this.#options.siblings) return;
    for (const handle of activeHandles() ?? []) {
      if (handle instanceof NetServer && handle.listening) this.#addSibling(handle);
    }
  }

  #addSibling(server: NetServer): void {
    if (this.#drains.has(server) || this.#options.isRegistered(server)) return;
    if (shareListener(this.server, server)) this.#add(server);
  }
}

function shareListener(a: NetServer, b: NetServer): boolean {
  return ['request', 'stream'].some((event) => {
    const listeners = new Set(a.listeners(event));
    return b.listeners(event).some((listener) => listeners.has(listener));
  });
}

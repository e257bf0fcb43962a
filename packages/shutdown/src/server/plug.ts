import { connect, type Server, type Socket } from 'node:net';
import { connectionsTo, type Row, State } from './proc-net-tcp.ts';

/** Although a test may have replaced it since, as Jest does. */
const { nextTick: afterThis } = process;

/** A listener of this process. */
interface Listener {
  readonly host: string;
  readonly port: number;
}

/** A connection of this process to its own server that takes a place in the accept queue. */
export class Plug {
  readonly #server: Server;
  readonly #port: number;
  readonly #socket: Socket;
  #isAccepted = false;
  #others = -1;

  constructor(server: Server, { host, port }: Listener) {
    this.#server = server;
    this.#port = port;
    const local = host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host;
    this.#socket = connect({ host: local, port });
    // It is reset by the closing of the listener.
    this.#socket.on('error', () => {});
    this.#socket.unref();
    // First, because another listener may destroy the socket, which then has no port.
    server.prependListener('connection', this.#watch);
  }

  /** Whether Node has accepted it: it is not in the queue any more. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Resolves when Node has begun to connect, in the same turn of the event loop. */
  async connected(): Promise<void> {
    // Node begins in `process.nextTick`, for an address in digits.
    await new Promise<void>((resolve) => afterThis(resolve));
  }

  /**
   * How many other connections are in the queue with it, when it was last looked at; negative if that is not
   * known. They were before it, or came until the queue was short.
   */
  get others(): number {
    return this.#others;
  }

  /**
   * Whether it is in the queue and nothing else is, and no other connection is being established. A client
   * whose handshake has begun would take its connection for established.
   */
  look(): 'alone' | 'beside others' | 'beside handshakes' | 'unknown' {
    this.#others = -1;
    try {
      const rows = connectionsTo(this.#port);
      const { localPort } = this.#socket;
      const plug = rows.find(
        (row) => row.remotePort === localPort && row.state === State.Established,
      );
      if (!plug || this.#isAccepted) return 'beside others';
      const listeners = listenersAt(plug.address, rows);
      // Another process listens on the port too: the kernel chooses who gets a connection.
      if (listeners.length !== 1) return 'unknown';
      if (rows.some(({ state }) => state === State.Handshake)) return 'beside handshakes';
      this.#others = (listeners[0]?.received ?? 0) - 1;
      return this.#others === 0 ? 'alone' : 'beside others';
    } catch {
      return 'unknown';
    }
  }

  /** Frees the place. */
  remove(): void {
    this.#server.off('connection', this.#watch);
    this.#socket.destroy();
  }

  readonly #watch = ({ remotePort }: Socket): void => {
    if (remotePort === this.#socket.localPort) this.#isAccepted = true;
  };
}

/** Those that get the connections to an address: of all addresses, if it has none of its own. */
function listenersAt(address: string, rows: readonly Row[]): Row[] {
  const all = rows.filter(({ state }) => state === State.Listen);
  const own = all.filter((row) => row.address === address);
  return own.length > 0 ? own : all.filter((row) => /^0+$/.test(row.address));
}

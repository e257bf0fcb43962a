import type cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import type { Clock } from '@temper/core';
import { builtinModule } from '@temper/core/policy';
import { nextTurn } from './loop-turn.ts';
import { SynCookies } from './syn-cookies.ts';

/** Although a test may have replaced it since, as Jest does. */
const { nextTick: afterThis } = process;

/** Options of {@link closeListener}. */
export interface AcceptQueueOptions {
  readonly clock: Clock;
  /** The same where the end of the queue can only be guessed, in milliseconds. */
  readonly graceMs: number;
  /** Longest time to wait for an empty queue, in milliseconds. */
  readonly patienceMs: number;
  /** Connections that the server has accepted. */
  readonly accepted: () => number;
}

/** Iterations of the event loop without a new connection after which the accept queue counts as empty. */
const QUIET_TURNS = 3;

/** The same before a look at a short queue, in a stream of connections with few such iterations. */
const SHORT_QUIET_TURNS = 1;

/**
 * Longest iteration of the event loop, in milliseconds, after which the queue is taken for empty without
 * a look. A connection may arrive in a longer one.
 */
const SHORT_TURN_MS = 0.5;

/** Share of the time that may be spent on looking for connections, on a machine that has very many. */
const LOOK_SHARE = 0.5;

/**
 * How long the queue keeps its length after a SYN cookie, in milliseconds. Until then its client has
 * sent its first packet again, if it was dropped: after 200 ms, as it knows the time of a round trip.
 */
const COOKIE_MS = 500;

/** The length of the queue with which Node listens by default. */
const DEFAULT_BACKLOG = 511;

/** What Node listens with. Not documented. */
interface Handle {
  listen?(backlog: number): unknown;
}

/** Share of the time in which the queue keeps its length, so that no client has to try again. */
const FULL_LENGTH_SHARE = 0.1;

/** Tries with a connection of our own, of which one suffices unless clients keep connecting. */
const MAX_TRIES = 100;

/**
 * Calls `close`, which closes the listener of a server, without resetting a connection.
 *
 * Closing a listener resets the connections that the kernel has established and the process has not
 * accepted. So those are accepted first. One that arrives between the last accept and the closing would
 * still be reset. On Linux the queue is therefore made as short as one connection, and a connection of
 * this process takes the only place: until the listener has closed no other one is established, and its
 * client is refused when it tries again, before it has sent anything.
 *
 * A queue that is full of open handshakes makes the kernel answer with SYN cookies: it forgets a client
 * that takes its connection for established. If it has sent any, the queue gets its length back until
 * those clients have sent their requests again.
 *
 * While connections keep arriving, the queue is kept short, so that most of their clients try again
 * later. Where nothing of this is possible, the listener is closed after iterations of the event loop that
 * brought no connection, and in any case after `patienceMs` and `graceMs`.
 */
export async function closeListener(
  server: Server,
  close: () => void,
  options: AcceptQueueOptions,
): Promise<void> {
  const { clock, graceMs, patienceMs } = options;
  const began = clock.monotonic();
  /** Whether this share of the time has passed. */
  const isLater = (share: number) => (): boolean => clock.monotonic() - began > patienceMs * share;
  const isOver = isLater(1);
  const queue = acceptQueueOf(server);
  if (queue) await quiet(options, isLater(FULL_LENGTH_SHARE), Number.POSITIVE_INFINITY);
  const cookies = new SynCookies(clock);
  let lookedMs = 0;
  for (let tries = 0; queue && tries < MAX_TRIES && lookedMs < patienceMs * LOOK_SHARE; tries++) {
    const short = isLater(FULL_LENGTH_SHARE)() && cookies.quietForMs() >= COOKIE_MS;
    if (short) {
      queue.setLength(0);
      await quiet(options, isOver, Number.POSITIVE_INFINITY, SHORT_QUIET_TURNS);
    }
    // Frameworks close a listener too, such as Fastify when another one of its listeners has closed.
    if (isOver() || !server.listening) break;
    queue.setLength(0);
    const plug = new Plug(queue);
    // Only calls of the system, all in this turn of the event loop: Node accepts nothing meanwhile.
    await plug.connected();
    const lookedAt = clock.monotonic();
    const state = plug.look();
    const waitMs = COOKIE_MS - cookies.quietForMs();
    lookedMs += clock.monotonic() - lookedAt;
    const isSafe = state === 'in place' && waitMs <= 0;
    if (isSafe) close();
    plug.remove();
    if (isSafe) return;
    if (!short || waitMs > 0) queue.setLength(DEFAULT_BACKLOG);
    if (state === 'unknown') break;
    if (waitMs > 0) await clock.sleep(waitMs);
    // While clients keep connecting, only a short queue becomes quiet.
    const isTooLate = short && waitMs <= 0 ? isOver : isLater(FULL_LENGTH_SHARE);
    await quiet(options, isTooLate, Number.POSITIVE_INFINITY);
  }
  queue?.setLength(0);
  const guessedFrom = clock.monotonic();
  await quiet(options, () => clock.monotonic() - guessedFrom > graceMs, SHORT_TURN_MS);
  close();
}

/**
 * Waits for iterations of the event loop that accept nothing.
 *
 * @param shortMs - how long the last two may have been, in milliseconds
 * @param enough - number of such iterations
 */
async function quiet(
  { clock, accepted }: AcceptQueueOptions,
  isOver: () => boolean,
  shortMs: number,
  enough: number = QUIET_TURNS,
): Promise<void> {
  for (let turns = 0; turns < enough && !isOver(); turns++) {
    const before = accepted();
    const began = clock.monotonic();
    await new Promise((resolve) => nextTurn(resolve));
    // Node accepts one connection per iteration.
    if (accepted() !== before) turns = -1;
    else if (clock.monotonic() - began > shortMs) turns = Math.min(turns, enough - 2);
  }
}

/** The accept queue of a listener of this process on Linux. */
interface AcceptQueue {
  readonly host: string;
  readonly port: number;
  /** Sets how many connections it holds, less one. */
  setLength(backlog: number): void;
}

/** @returns undefined where the queue is not TCP's, not ours, or not known */
function acceptQueueOf(server: Server): AcceptQueue | undefined {
  // The listener of a cluster worker is the primary's, or shared with the others.
  if (process.platform !== 'linux' || !server.listening) return undefined;
  if (builtinModule<typeof cluster>('node:cluster')?.isWorker) return undefined;
  const address = server.address();
  const { _handle: handle } = server as { readonly _handle?: Handle | null };
  if (address === null || typeof address === 'string') return undefined;
  if (typeof handle?.listen !== 'function') return undefined;
  const { address: host, port } = address;
  return { host, port, setLength: (backlog) => void handle.listen?.(backlog) };
}

/** A connection of this process to its own server that takes the only place in the accept queue. */
class Plug {
  readonly #port: number;
  readonly #socket: Socket;

  constructor({ host, port }: AcceptQueue) {
    this.#port = port;
    const local = host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host;
    this.#socket = connect({ host: local, port });
    // It is reset by the closing of the listener.
    this.#socket.on('error', () => {});
    this.#socket.unref();
  }

  /** Resolves when Node has begun to connect, in the same turn of the event loop. */
  async connected(): Promise<void> {
    // Node begins in `process.nextTick`, for an address in digits.
    await new Promise<void>((resolve) => afterThis(resolve));
  }

  /**
   * Whether it is in the queue and no other connection is being established. A client whose handshake
   * has begun would take its connection for established.
   */
  look(): 'in place' | 'not in place' | 'unknown' {
    try {
      const ours = connectionsTo(this.#port);
      // Another process listens on the port too: the kernel chooses who gets a connection.
      const listeners = ours.filter(({ state }) => state === State.Listen);
      if (new Set(listeners.map(({ address }) => address)).size < listeners.length)
        return 'unknown';
      if (ours.some(({ state }) => state === State.Handshake)) return 'not in place';
      const { localPort } = this.#socket;
      const isPlug = (each: Connection): boolean =>
        each.remote === localPort && each.state === State.Established;
      return ours.some(isPlug) ? 'in place' : 'not in place';
    } catch {
      return 'unknown';
    }
  }

  /** Frees the place. */
  remove(): void {
    this.#socket.destroy();
  }
}

/** States of a connection in `/proc/net/tcp`. */
const State = { Established: '01', Handshake: '03', Listen: '0A' } as const;

interface Connection {
  readonly address: string;
  /** Port. */
  readonly remote: number;
  readonly state: string;
}

/** The TCP connections of this network namespace whose local port it is. There may be very many others. */
function connectionsTo(port: number): Connection[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`^ *\\d+: (\\w+:${hex}) \\w+:(\\w{4}) (\\w\\w) `, 'gm');
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    [...readFileSync(path, 'latin1').matchAll(line)].map(
      ([, address = '', remote = '', state = '']) => ({
        address,
        remote: Number.parseInt(remote, 16),
        state,
      }),
    ),
  );
}

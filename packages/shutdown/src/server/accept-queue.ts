import type cluster from 'node:cluster';
import type { Server } from 'node:net';
import type { Clock } from '@temper/core';
import { builtinModule } from '@temper/core/policy';
import { nextTurn } from './loop-turn.ts';
import { Plug } from './plug.ts';
import { SynCookies } from './syn-cookies.ts';

/** Options of {@link closeListener}. */
export interface AcceptQueueOptions {
  readonly clock: Clock;
  /** Longest time to wait where the end of the queue can only be guessed, in milliseconds. */
  readonly graceMs: number;
  /** Longest time to wait for an empty queue, in milliseconds. */
  readonly patienceMs: number;
  /** Connections that the server has accepted. */
  readonly accepted: () => number;
}

/** Iterations of the event loop without a new connection after which the accept queue counts as empty. */
const QUIET_TURNS = 3;

/**
 * Longest iteration of the event loop, in milliseconds, after which the queue is taken for empty without
 * a look. A connection may arrive in a longer one.
 */
const SHORT_TURN_MS = 0.5;

/** Longest pause between two tries, in milliseconds, unless a try takes longer. */
const MAX_PAUSE_MS = 10;

/**
 * How long after a SYN cookie a client may still take its connection for established although the kernel
 * does not, in milliseconds. It has sent its first packet again by then, if that was dropped: after 200 ms, as
 * it knows the time of a round trip.
 */
const COOKIE_MS = 500;

/** The kernel makes it as long as `net.core.somaxconn` at most. */
const MAX_BACKLOG = 65_535;

/** What Node listens with. Not documented. */
interface Handle {
  listen?(backlog: number): unknown;
}

/**
 * Calls `close`, which closes the listener of a server, without resetting a connection.
 *
 * Closing a listener resets the connections that the kernel has established and the process has not
 * accepted. So those are accepted first. One that arrives between the last accept and the closing would
 * still be reset. On Linux a connection of this process is therefore put into the accept queue, which is then
 * made one place long: until the listener has closed no other connection is established, and the client is
 * refused when it tries again, before it has sent anything. That is safe if the queue holds nothing else and
 * no handshake is open; otherwise the place is given up and the queue is long again.
 *
 * A stream of connections over a network has handshakes open nearly always. Each try turns some clients away,
 * whose systems try again a second later, so that a moment without a handshake comes.
 *
 * Where nothing of this is possible, the listener is closed after iterations of the event loop that
 * brought no connection, and in any case after `patienceMs` and `graceMs`.
 */
export async function closeListener(
  server: Server,
  close: () => void,
  options: AcceptQueueOptions,
): Promise<void> {
  const queue = acceptQueueOf(server);
  if (queue && (await closeWithFullQueue(server, queue, close, options))) return;
  const { clock, graceMs } = options;
  queue?.setLength(0);
  const guessedFrom = clock.monotonic();
  await quiet(options, () => clock.monotonic() - guessedFrom > graceMs, SHORT_TURN_MS);
  close();
}

/** @returns whether it was closed */
async function closeWithFullQueue(
  server: Server,
  queue: AcceptQueue,
  close: () => void,
  options: AcceptQueueOptions,
): Promise<boolean> {
  const { clock, patienceMs } = options;
  const cookies = new SynCookies(clock);
  const began = clock.monotonic();
  for (let tries = 0, triedMs = 0; ; tries++) {
    // On a machine with very many connections a look at them takes long.
    const pauseMs = Math.max(triedMs, Math.min(tries, MAX_PAUSE_MS));
    if (tries > 0) await clock.sleep(Math.max(pauseMs, COOKIE_MS - cookies.quietForMs()));
    const paused = clock.monotonic();
    const isOver = () => clock.monotonic() - paused > MAX_PAUSE_MS;
    await quiet(options, isOver, Number.POSITIVE_INFINITY);
    const now = clock.monotonic();
    // Frameworks close a listener too, such as Fastify when another one of its listeners has closed.
    if (now - began > patienceMs || !server.listening) return false;
    queue.setLength(MAX_BACKLOG);
    const plug = new Plug(server, queue);
    await plug.connected();
    // From here on the queue is full, until Node accepts the plug. A connection that was established after the
    // plug and before this is behind it.
    queue.setLength(0);
    const lookedAt = clock.monotonic();
    let seen = plug.look();
    triedMs = clock.monotonic() - lookedAt;
    // Node accepts one connection per iteration: those before the plug first.
    while (seen === 'beside others' && plug.others > 0) {
      for (let n = plug.others; n > 0 && !plug.isAccepted; n--) await turn();
      seen = plug.look();
    }
    // Only calls of the system from the look on: nothing is accepted meanwhile. The second look finds what another
    // processor had begun while the queue was long.
    const isAlone = seen === 'alone' && plug.look() === 'alone';
    const isSafe = isAlone && cookies.quietForMs() >= COOKIE_MS;
    if (isSafe) close();
    plug.remove();
    if (isSafe) return true;
    queue.setLength(MAX_BACKLOG);
    if (seen === 'unknown') return false;
  }
}

/** Resolves in the next iteration of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}

/**
 * Waits for iterations of the event loop that accept nothing.
 *
 * @param shortMs - how long the last two may have been, in milliseconds
 */
async function quiet(
  { clock, accepted }: AcceptQueueOptions,
  isOver: () => boolean,
  shortMs: number,
): Promise<void> {
  for (let turns = 0; turns < QUIET_TURNS && !isOver(); turns++) {
    const before = accepted();
    const began = clock.monotonic();
    await turn();
    // Node accepts one connection per iteration.
    if (accepted() !== before) turns = -1;
    else if (clock.monotonic() - began > shortMs) turns = Math.min(turns, QUIET_TURNS - 2);
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

import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Clock } from '@temper/core';
import { notify, type Scheduled } from '@temper/core/policy';

/** The highest stream id. In a GOAWAY it means that streams already in transit are still served. */
const LAST_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

/**
 * Tracks the HTTP/2 sessions of a server. They close in the two steps of RFC 9113, section 6.8: a
 * GOAWAY with the highest stream id, which still accepts streams in transit, then the final one.
 */
export class Http2Sessions {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #owner: string;
  /** Each session with the monotonic time of its first GOAWAY; undefined if none was sent. */
  readonly #sessions = new Map<ServerHttp2Session, number | undefined>();
  #inFlight = 0;
  #draining = false;
  readonly #timers = new Set<Scheduled>();

  /** @param owner - the shutdown's name, for the log */
  constructor(owner: string, clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#owner = owner;
  }

  /** Open streams. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Tracks a new session. */
  readonly opened = (session: ServerHttp2Session): void => {
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, undefined);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#draining) this.#end(session);
  };

  /** Tracks a new stream. */
  readonly requested = (stream: ServerHttp2Stream): void => {
    this.#inFlight++;
    stream.once('close', () => {
      this.#inFlight--;
    });
  };

  /** Sends the first GOAWAY to every session. */
  sayGoaway(): void {
    for (const session of this.#sessions.keys()) this.#sayGoaway(session);
  }

  /** Closes every session, including later ones, as soon as its streams have ended. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions.keys()) this.#end(session);
  }

  /** Destroys every session, including those with open streams. */
  destroy(): void {
    for (const timer of this.#timers) timer.cancel();
    for (const session of this.#sessions.keys()) session.destroy();
  }

  #sayGoaway(session: ServerHttp2Session): void {
    if (this.#sessions.get(session) !== undefined) return;
    this.#sessions.set(session, this.#clock.monotonic());
    // `goaway` throws if the session has just been destroyed.
    notify(this.#owner, 'server', () => session.goaway(NO_ERROR, LAST_STREAM));
  }

  #end(session: ServerHttp2Session): void {
    this.#sayGoaway(session);
    const saidAt = this.#sessions.get(session) ?? 0;
    const dueMs = Math.max(0, saidAt + this.#graceMs - this.#clock.monotonic());
    const close = (): void => {
      if (!session.closed && !session.destroyed) session.close();
    };
    if (dueMs === 0) {
      close();
      return;
    }
    const timer = this.#clock.schedule(() => {
      this.#timers.delete(timer);
      close();
    }, dueMs);
    // The drain waits for the sessions. Without any, this timer must not keep the process alive.
    timer.unref();
    this.#timers.add(timer);
  }
}

import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { type Clock, notify, type Scheduled } from '@temper/core';

/** The highest stream id there can be: "I am going, and what you have sent I will still answer". */
const LAST_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

/**
 * The HTTP/2 sessions of a server. They end in two steps, as RFC 9113, 6.8 asks of a server that wants
 * to lose nothing: a GOAWAY that still takes whatever is on its way, and after a while the last one.
 */
export class Http2Sessions {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #onError: (error: unknown) => void;
  /** With the monotonic time of the first GOAWAY, where it was sent. */
  readonly #sessions = new Map<ServerHttp2Session, number | undefined>();
  #inFlight = 0;
  #draining = false;
  readonly #timers = new Set<Scheduled>();

  constructor(clock: Clock, graceMs: number, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#onError = onError;
  }

  /** Streams that have not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes in a new session. */
  readonly opened = (session: ServerHttp2Session): void => {
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, undefined);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#draining) this.#end(session);
  };

  /** Takes in a new stream. */
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

  /** Ends every session, now and from now on, as soon as its streams have. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions.keys()) this.#end(session);
  }

  /** Ends every session, whatever is under way on it. */
  destroy(): void {
    for (const timer of this.#timers) timer.cancel();
    for (const session of this.#sessions.keys()) session.destroy();
  }

  #sayGoaway(session: ServerHttp2Session): void {
    if (this.#sessions.get(session) !== undefined) return;
    this.#sessions.set(session, this.#clock.monotonic());
    // A session that has just broken throws.
    notify(() => session.goaway(NO_ERROR, LAST_STREAM), undefined, this.#onError);
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
    // The drain waits for the sessions; when they are gone, nothing should wait for this.
    timer.unref();
    this.#timers.add(timer);
  }
}

import type { Socket } from 'node:net';
import type { Clock } from '@temper/core';

/** Although a test may have replaced it since, as Jest does. */
const { queueMicrotask: defer } = globalThis;

/** Notices whether what an upgraded connection has received is answered, whatever its protocol is. */
export class UpgradedActivity {
  readonly #socket: Socket;
  readonly #clock: Clock;
  /** Bytes received when looked last, and the monotonic time since when these have been all. */
  #bytesRead: number;
  #readAt: number;
  /** Bytes received at the last write, and its monotonic time. */
  #answered: number | undefined;
  #wroteAt = 0;
  #unwatch: (() => void) | undefined;

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#bytesRead = socket.bytesRead;
    this.#readAt = clock.monotonic();
  }

  /**
   * Notices writes from now on. A method of the socket itself is the only place where their order with
   * reads is known.
   *
   * @param onWrite - called after each one
   */
  watch(onWrite: () => void): void {
    this.#look();
    const socket = this.#socket;
    const own = Object.getOwnPropertyDescriptor(socket, 'write');
    const { write } = socket;
    const watched = (...args: Parameters<Socket['write']>): boolean => {
      this.#look();
      // What `onWrite` sends leaves together with this: the peer has no time to send something in between.
      socket.cork();
      const result = write.apply(socket, args);
      this.#answered = socket.bytesRead;
      this.#wroteAt = this.#clock.monotonic();
      // After the frame, which may be written in parts.
      defer(() => {
        onWrite();
        socket.uncork();
      });
      return result;
    };
    Object.defineProperty(socket, 'write', { value: watched, configurable: true, writable: true });
    this.#unwatch = () => {
      if (socket.write !== watched) return;
      if (own === undefined) Reflect.deleteProperty(socket, 'write');
      else Object.defineProperty(socket, 'write', own);
    };
  }

  /** Restores the method of the socket. */
  unwatch(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /**
   * Whether the connection can be closed: nothing was received or sent for `graceMs`, or, once `graceMs`
   * have passed, it has just been answered. Between an answer and that, the next message may be in
   * transit, and would not be answered after the close frame.
   *
   * @param since - monotonic time of the beginning of the drain
   * @param wrote - whether something has just been sent
   */
  isQuiet(graceMs: number, since: number, wrote: boolean): boolean {
    this.#look();
    const now = this.#clock.monotonic();
    if (this.#answered !== this.#socket.bytesRead) return now - this.#readAt >= graceMs;
    if (wrote && now - since >= graceMs) return true;
    return now - Math.max(this.#readAt, this.#wroteAt) >= graceMs;
  }

  #look(): void {
    if (this.#socket.bytesRead === this.#bytesRead) return;
    this.#bytesRead = this.#socket.bytesRead;
    this.#readAt = this.#clock.monotonic();
  }
}

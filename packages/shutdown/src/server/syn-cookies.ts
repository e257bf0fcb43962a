import { readFileSync } from 'node:fs';
import type { Clock } from '@temper/core';

/**
 * Watches for SYN cookies, with which Linux answers when more handshakes are open than the accept queue is
 * long. It keeps nothing of such a handshake, so `/proc/net/tcp` does not show it; only their number in
 * this network namespace is known.
 */
export class SynCookies {
  readonly #clock: Clock;
  #sent: number | undefined = cookiesSent();
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For how long none has been sent, in milliseconds, as far as calls of this method tell. */
  quietForMs(): number {
    const sent = cookiesSent();
    const now = this.#clock.monotonic();
    if (sent !== this.#sent) {
      this.#sent = sent;
      this.#sentAt = now;
    }
    return now - this.#sentAt;
  }
}

/** @returns undefined where the kernel does not say */
function cookiesSent(): number | undefined {
  try {
    // A line of names and a line of values for each group of counters.
    const [names = '', values = ''] = readFileSync('/proc/net/netstat', 'latin1').split('\n');
    const value = values.split(' ')[names.split(' ').indexOf('SyncookiesSent')];
    return value === undefined ? undefined : Number(value);
  } catch {
    return undefined;
  }
}

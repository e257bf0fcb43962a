/** What a server announced about one limit in the response to a call. */
export interface AnnouncedLimit {
  /** Identifies the limit and its partition. */
  readonly key: string;
  readonly remaining: number;
  /** Milliseconds until there will be more. */
  readonly resetMs: number;
}

interface ServerLimit {
  remaining: number;
  resetAt: number;
  readonly resetMs: number;
  /** The call whose response announced it. */
  readonly call: number;
  /** The reset has passed, and one call is in flight to find out what is left now. */
  probing: boolean;
}

/** Most limits that are kept. A server that announces more gets the oldest ones forgotten. */
const MAX_LIMITS = 64;

/**
 * The limits that a server has announced, and how much of them is used since. Knows no clock.
 *
 * Calls are numbered in the order in which they pass. A server counts a call when it arrives: what it
 * announces to one call does not include the calls that passed after it, and what it announced to an
 * earlier call is out of date. When the reset of a limit has passed, one call goes ahead as a probe.
 */
export class ServerLimits {
  readonly #limits = new Map<string, ServerLimit>();
  #calls = 0;

  /**
   * Lets a call pass if the limits allow it.
   *
   * @returns 0, or the milliseconds until it may pass if nothing else is announced
   */
  take(cost: number, now: number): number {
    const wait = this.wait(now);
    if (wait > 0) return wait;
    for (const limit of this.#limits.values()) {
      if (now >= limit.resetAt) {
        limit.probing = true;
        // More than before, by an unknown amount.
        limit.remaining = Math.max(1, limit.remaining);
        limit.resetAt = now + limit.resetMs;
      }
      limit.remaining -= cost;
    }
    this.#calls++;
    return 0;
  }

  /** Milliseconds until a call may pass if nothing else is announced. */
  wait(now: number): number {
    let wait = 0;
    for (const { remaining, resetAt } of this.#limits.values()) {
      if (remaining <= 0 && now < resetAt) wait = Math.max(wait, resetAt - now);
    }
    return wait;
  }

  /**
   * Takes over what was announced to a call. A limit that was probed and is not announced any more is
   * removed.
   *
   * @param call - number of the call, from 1, in the order in which calls passed
   */
  update(call: number, announced: readonly AnnouncedLimit[], now: number): void {
    const keys = new Set(announced.map(({ key }) => key));
    for (const [key, limit] of this.#limits) {
      if (limit.probing && call >= limit.call && !keys.has(key)) this.#limits.delete(key);
    }
    for (const { key, remaining, resetMs } of announced) {
      const before = this.#limits.get(key);
      if (before !== undefined && before.call > call) continue;
      this.#limits.delete(key);
      this.#limits.set(key, {
        remaining: remaining - (this.#calls - call),
        resetAt: now + resetMs,
        resetMs,
        call,
        probing: false,
      });
    }
    for (const key of this.#limits.keys()) {
      if (this.#limits.size <= MAX_LIMITS) break;
      this.#limits.delete(key);
    }
  }

  /** What is left of the tightest limit in force; `undefined` when none is known. */
  remaining(now: number): number | undefined {
    let least: number | undefined;
    for (const { remaining, resetAt } of this.#limits.values()) {
      if (now < resetAt) {
        least = Math.min(least ?? Number.POSITIVE_INFINITY, Math.max(0, remaining));
      }
    }
    return least;
  }
}

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
  /** The call whose response announced it, and what it announced. */
  readonly call: number;
  readonly announced: number;
  /** Costs of earlier calls without a response then: perhaps not included in what was announced. */
  readonly uncertain: Map<number, number>;
  /** The reset has passed, and this call is in flight to find out what is left now. */
  probe: number | undefined;
}

/** A call that is in flight for longer than this, in milliseconds, has certainly reached the server. */
const IN_FLIGHT_MS = 10_000;

/** Most limits that are kept. Of more, the oldest that hold nothing back are forgotten. */
const MAX_LIMITS = 64;

/**
 * The limits that a server has announced, and how much of them is used since. Knows no clock.
 *
 * Calls are numbered in the order in which they pass. A server counts a call when it arrives, and calls
 * may arrive in another order: until their own responses come, it is unknown whether an announcement
 * includes the other calls in flight, and it is assumed that it does not. When the reset of a limit has
 * passed, one call goes ahead as a probe.
 */
export class ServerLimits {
  readonly #limits = new Map<string, ServerLimit>();
  /** Calls without a response, in order. */
  readonly #inFlight = new Map<number, { readonly cost: number; readonly since: number }>();
  #calls = 0;

  /**
   * Lets a call pass if the limits allow it.
   *
   * @returns 0, or the milliseconds until it may pass if nothing else is announced
   */
  take(cost: number, now: number): number {
    const wait = this.wait(now);
    if (wait > 0) return wait;
    this.#calls++;
    for (const limit of this.#limits.values()) {
      if (now >= limit.resetAt) {
        limit.probe = this.#calls;
        // More than before, by an unknown amount.
        limit.remaining = Math.max(1, limit.remaining);
        limit.resetAt = now + limit.resetMs;
      }
      limit.remaining -= cost;
    }
    this.#inFlight.set(this.#calls, { cost, since: now });
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
    this.#inFlight.delete(call);
    for (const [other, { since }] of this.#inFlight) {
      if (now - since < IN_FLIGHT_MS) break;
      this.#inFlight.delete(other);
    }
    const keys = new Set(announced.map(({ key }) => key));
    for (const [key, limit] of this.#limits) {
      if (limit.probe !== undefined && call >= limit.call && !keys.has(key))
        this.#limits.delete(key);
    }
    for (const { key, remaining, resetMs } of announced) {
      const before = this.#limits.get(key);
      if (before !== undefined && before.call > call) {
        // It arrived before the later call when it was told of at least as much: then it was included.
        if (remaining >= before.announced) before.remaining += before.uncertain.get(call) ?? 0;
        before.uncertain.delete(call);
      } else {
        this.#replace(key, remaining, resetMs, call, now);
      }
    }
    while (this.#limits.size > MAX_LIMITS) this.#limits.delete(this.#leastNeeded(now));
  }

  /** The oldest limit that holds nothing back, or else the oldest. */
  #leastNeeded(now: number): string {
    let oldest: string | undefined;
    for (const [key, { remaining, resetAt }] of this.#limits) {
      if (remaining > 0 || now >= resetAt) return key;
      oldest ??= key;
    }
    return oldest ?? '';
  }

  /**
   * A call is over without a response that was read. If it was a probe, the next call is another one.
   *
   * @param sent - whether the server may have received it. Of what it has not, it has counted nothing.
   */
  settle(call: number, sent: boolean): void {
    const cost = sent ? 0 : (this.#inFlight.get(call)?.cost ?? 0);
    this.#inFlight.delete(call);
    for (const limit of this.#limits.values()) {
      limit.remaining += cost;
      if (!sent) limit.uncertain.delete(call);
      if (limit.probe === call) limit.resetAt = Number.NEGATIVE_INFINITY;
    }
  }

  #replace(key: string, announced: number, resetMs: number, call: number, now: number): void {
    let remaining = announced;
    const uncertain = new Map<number, number>();
    for (const [other, { cost }] of this.#inFlight) {
      remaining -= cost;
      if (other < call) uncertain.set(other, cost);
    }
    const resetAt = now + resetMs;
    this.#limits.delete(key);
    this.#limits.set(key, {
      remaining,
      resetAt,
      resetMs,
      call,
      announced,
      uncertain,
      probe: undefined,
    });
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

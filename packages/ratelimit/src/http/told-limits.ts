/** What a server tells of one limit in answer to a call. */
export interface TellOf {
  /** Tells limits and partitions apart. */
  readonly key: string;
  readonly remaining: number;
  /** Until there is more. */
  readonly resetMs: number;
}

interface Told {
  remaining: number;
  resetAt: number;
  readonly resetMs: number;
  /** The call that was told. */
  readonly call: number;
  /** The reset has passed, and nobody knows yet what there is now. */
  probing: boolean;
}

/**
 * What a server has told of its limits, and how much of it is used up since. Knows no clock.
 *
 * Calls are numbered as they are let go. A server counts a call when it comes, so what it tells one
 * call does not know of those that were let go after it; and what it told an earlier call is older
 * news. When a limit's reset has passed, one call goes ahead to find out what there is now.
 */
export class ToldLimits {
  readonly #limits = new Map<string, Told>();
  #calls = 0;

  /**
   * Lets a call go, if it may.
   *
   * @returns 0, or the milliseconds after which it may if nothing else is heard
   */
  take(cost: number, now: number): number {
    const wait = this.wait(now);
    if (wait > 0) return wait;
    for (const told of this.#limits.values()) {
      if (now >= told.resetAt) {
        told.probing = true;
        // More than before, and nobody knows how much more.
        told.remaining = Math.max(1, told.remaining);
        told.resetAt = now + told.resetMs;
      }
      told.remaining -= cost;
    }
    this.#calls++;
    return 0;
  }

  /** Milliseconds until a call may go if nothing else is heard. */
  wait(now: number): number {
    let wait = 0;
    for (const told of this.#limits.values()) {
      if (told.remaining <= 0 && now < told.resetAt) wait = Math.max(wait, told.resetAt - now);
    }
    return wait;
  }

  /** Takes in what was told to a call. What is not told any more is forgotten when it was asked about. */
  hear(call: number, tells: readonly TellOf[], now: number): void {
    const heard = new Set(tells.map(({ key }) => key));
    for (const [key, told] of this.#limits) {
      if (told.probing && call >= told.call && !heard.has(key)) this.#limits.delete(key);
    }
    for (const { key, remaining, resetMs } of tells) {
      const before = this.#limits.get(key);
      if (before !== undefined && before.call > call) continue;
      this.#limits.set(key, {
        remaining: remaining - (this.#calls - call),
        resetAt: now + resetMs,
        resetMs,
        call,
        probing: false,
      });
    }
  }

  /** What is left of the tightest limit that holds now; undefined when none is known. */
  remaining(now: number): number | undefined {
    let least: number | undefined;
    for (const { remaining, resetAt } of this.#limits.values()) {
      if (now < resetAt)
        least = Math.min(least ?? Number.POSITIVE_INFINITY, Math.max(0, remaining));
    }
    return least;
  }
}

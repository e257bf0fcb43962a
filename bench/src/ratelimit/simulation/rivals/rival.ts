import type { Make } from '../strategies.ts';

/** How a call ended. */
export interface Ended {
  readonly now: number;
  readonly latencyMs: number;
  /** Calls in flight when it began, itself included. */
  readonly inFlight: number;
  /** Whether it was refused, or given up as too late. */
  readonly overloaded: boolean;
  /** Whether as many calls are in flight as the limit allows. */
  readonly full: boolean;
}

/** A concurrency limit that learns from how calls end. */
export interface RivalLimit {
  readonly limit: number;
  ended(call: Ended): void;
}

/** Lets a {@link RivalLimit} decide which calls pass. */
export function rival(name: string, create: (random: () => number) => RivalLimit): Make {
  return (loop, random) => {
    const algorithm = create(random);
    let used = 0;
    return {
      name,
      admit: () => {
        if (used >= Math.floor(algorithm.limit)) return undefined;
        used++;
        const inFlight = used;
        const startedAt = loop.now;
        const end = (overloaded: boolean): void => {
          const full = used >= Math.floor(algorithm.limit);
          const { now } = loop;
          algorithm.ended({ now, latencyMs: now - startedAt, inFlight, overloaded, full });
          used--;
        };
        return { served: () => end(false), overloaded: () => end(true), timedOut: () => end(true) };
      },
      level: () => algorithm.limit,
    };
  };
}

/** The mean of the first values, then an exponentially weighted one of about the last `age`. */
export class MovingAverage {
  value = 0;
  #count = 0;
  readonly #age: number;
  readonly #warmUp: number;

  constructor(age: number, warmUp: number) {
    this.#age = age;
    this.#warmUp = warmUp;
  }

  add(next: number): number {
    const warm = this.#count >= this.#warmUp;
    if (!warm) this.#count++;
    this.value += (warm ? 2 / (this.#age + 1) : 1 / this.#count) * (next - this.value);
    return this.value;
  }
}

/** The whole part of the decimal logarithm, at least 1: the step of Vegas in both libraries. */
export function log10(limit: number): number {
  return Math.max(1, Math.floor(Math.log10(Math.max(1, Math.floor(limit)))));
}

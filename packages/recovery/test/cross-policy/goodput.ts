import type { CallOptions, Executor } from '@temper/core';
import type { ManualClock } from '@temper/testkit/clock';

/** How a dependency behaves. */
export interface Dependency {
  /** How long an answer takes, in milliseconds. */
  readonly latencyMs: () => number;
  /** What a call does during the outage. */
  readonly outage: (signal: AbortSignal) => unknown;
}

/** One phase of a program: so many calls, one each step. */
export interface Phase {
  /** The share of the calls that succeeded. */
  readonly goodput: number;
  /** Calls of the operation for each call of the policy. */
  readonly demand: number;
}

/** Runs calls of a policy, one each step, against a dependency that can be down. */
export class Program {
  down = false;
  readonly #clock: ManualClock;
  readonly #policy: Executor;
  readonly #dependency: Dependency;
  readonly #options: CallOptions | undefined;
  readonly #stepMs: number;
  #made = 0;

  constructor(
    clock: ManualClock,
    policy: Executor,
    dependency: Dependency,
    stepMs = 50,
    options?: CallOptions,
  ) {
    this.#clock = clock;
    this.#policy = policy;
    this.#dependency = dependency;
    this.#stepMs = stepMs;
    this.#options = options;
  }

  async phase(seconds: number): Promise<Phase> {
    const before = this.#made;
    const calls: Promise<number>[] = [];
    for (let ms = 0; ms < seconds * 1000; ms += this.#stepMs) {
      calls.push(this.#call());
      await this.#clock.advance(this.#stepMs);
    }
    await this.#clock.advance(5000); // until the last ones have ended
    const ended = await Promise.all(calls);
    return {
      goodput: ended.reduce((sum, ok) => sum + ok, 0) / ended.length,
      demand: (this.#made - before) / ended.length,
    };
  }

  async #call(): Promise<number> {
    try {
      await this.#policy.execute(async ({ signal }) => {
        this.#made++;
        if (this.down) return this.#dependency.outage(signal);
        await this.#clock.sleep(this.#dependency.latencyMs(), signal);
        return 'answer';
      }, this.#options);
      return 1;
    } catch {
      return 0;
    }
  }
}

/** A dependency that refuses each call after 5 ms. */
export const refuse = (clock: ManualClock) => async (signal: AbortSignal) => {
  await clock.sleep(5, signal);
  throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
};

/** A dependency that accepts calls and answers none. */
export const hang = (clock: ManualClock) => (signal: AbortSignal) => clock.sleep(600_000, signal);

/** Phases in words, for the report of a test. */
export function describePhases(phases: Readonly<Record<string, Phase>>): string {
  return Object.entries(phases)
    .map(([name, { goodput, demand }]) => `${name} ${goodput.toFixed(3)} (×${demand.toFixed(2)})`)
    .join(', ');
}

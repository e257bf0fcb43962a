import type { CallContext, CallOptions, Executor, Operation } from '@temper/core';
import type { ManualClock } from '@temper/testkit/clock';

/** Something that an account saw, at so many milliseconds of the clock. */
interface Entry {
  readonly at: number;
  readonly cost: number;
  readonly key: string | undefined;
}

/** A call that has not been let through yet. */
interface Waiting {
  /** Calls of the policy that came before it. */
  readonly before: number;
  readonly key: string | undefined;
  /** When a call that came later was first let through, in milliseconds of the clock. */
  overtakenAt: number | undefined;
}

/** A trial of a circuit. */
interface Trial {
  readonly at: number;
}

/** What an account looks at when a call is let through. */
export interface Watch {
  /** Says what is wrong with letting a call through now. */
  readonly onEntry?: (() => string | undefined) | undefined;
  /** Whether the call is a trial of a circuit. */
  readonly isTrial?: (() => boolean) | undefined;
  /** How long a trial may take before the circuit gives it up, in milliseconds. */
  readonly trialMs?: number | undefined;
}

/** An independent account of what goes into a policy, and of what it lets through. */
export class Account {
  /** Calls of the policy. */
  calls = 0;
  succeeded = 0;
  failed = 0;
  /** Calls that it has let through, in order. */
  readonly entries: Entry[] = [];
  /** The most calls that it has let through for one call. */
  mostPerCall = 0;
  /** The most units of one key that were ever inside at the same time. */
  mostInsideOfKey = 0;
  /** The most units that were ever inside at the same time. */
  mostInside = 0;
  readonly #inside = new Map<string | undefined, number>();
  /** Calls that were still waiting, some time after one that had come later was let through. */
  overtaken = 0;
  /** The most trials of a circuit that ever ran at the same time, without those that it had given up. */
  mostTrials = 0;
  readonly #waiting = new Set<Waiting>();
  readonly #trials = new Set<Trial>();
  /** Violations seen at the moment of an entry. */
  readonly problems: string[] = [];
  readonly #policy: Executor;
  readonly #clock: ManualClock;
  readonly #watch: Watch;

  constructor(policy: Executor, clock: ManualClock, watch: Watch = {}) {
    this.#policy = policy;
    this.#clock = clock;
    this.#watch = watch;
  }

  get ended(): number {
    return this.succeeded + this.failed;
  }

  /** A call of the policy. */
  async execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T> {
    // A call that has no time left when it is made ends before it reaches the policy.
    if ((options?.parent?.deadline ?? Number.POSITIVE_INFINITY) <= this.#clock.monotonic())
      return this.#policy.execute(operation, options);
    let entries = 0;
    const waiting: Waiting = {
      before: this.calls++,
      key: options?.key ?? options?.parent?.key,
      overtakenAt: undefined,
    };
    this.#waiting.add(waiting);
    try {
      const value = await this.#policy.execute((call) => {
        this.mostPerCall = Math.max(this.mostPerCall, ++entries);
        this.#stopWaiting(waiting);
        this.#overtake(waiting);
        return this.#enter(operation, call);
      }, options);
      this.succeeded++;
      return value;
    } catch (error) {
      this.failed++;
      throw error;
    } finally {
      this.#stopWaiting(waiting);
    }
  }

  #stopWaiting(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return;
    // Both may be let through, or end, in one moment, in the order of their promises.
    const { overtakenAt } = waiting;
    if (overtakenAt !== undefined && overtakenAt < this.#clock.monotonic()) this.overtaken++;
  }

  /** A call is let through: those of its key that have come before it must no longer wait. */
  #overtake({ key, before }: Waiting): void {
    for (const earlier of this.#waiting) {
      if (earlier.before > before) return;
      if (earlier.key === key) earlier.overtakenAt ??= this.#clock.monotonic();
    }
  }

  #enter<T>(operation: Operation<T>, call: CallContext): T | PromiseLike<T> {
    const { onEntry, isTrial } = this.#watch;
    const problem = onEntry?.();
    if (problem !== undefined) this.problems.push(problem);
    this.entries.push({ at: this.#clock.monotonic(), cost: call.cost, key: call.key });
    this.#move(call.key, call.cost);
    const trial = isTrial?.() === true ? this.#beginTrial() : undefined;
    const leave = (): void => {
      this.#move(call.key, -call.cost);
      if (trial !== undefined) this.#trials.delete(trial);
    };
    const result = operation(call);
    // The policy gets what the operation returned, also if that is a promise of another library.
    if (result instanceof Promise) result.then(leave, leave);
    else leave();
    return result;
  }

  #beginTrial(): Trial {
    const trial = { at: this.#clock.monotonic() };
    this.#trials.add(trial);
    const { trialMs = Number.POSITIVE_INFINITY } = this.#watch;
    const running = [...this.#trials].filter(({ at }) => trial.at - at < trialMs);
    this.mostTrials = Math.max(this.mostTrials, running.length);
    return trial;
  }

  #move(key: string | undefined, units: number): void {
    const ofKey = (this.#inside.get(key) ?? 0) + units;
    this.#inside.set(key, ofKey);
    this.mostInsideOfKey = Math.max(this.mostInsideOfKey, ofKey);
    const all = [...this.#inside.values()].reduce((sum, one) => sum + one);
    this.mostInside = Math.max(this.mostInside, all);
  }

  /** Milliseconds from the first entry to the last one. */
  get lastedMs(): number {
    return (this.entries.at(-1)?.at ?? 0) - (this.entries[0]?.at ?? 0);
  }

  /** The most units of one key that were let through in any span of so many milliseconds. */
  mostOfKeyWithin(windowMs: number): number {
    const keys = new Set(this.entries.map(({ key }) => key));
    const each = [...keys].map((key) =>
      mostWithin(
        this.entries.filter((one) => one.key === key),
        windowMs,
      ),
    );
    return Math.max(0, ...each);
  }

  /** The most units that were let through in any span of so many milliseconds. */
  mostWithin(windowMs: number): number {
    return mostWithin(this.entries, windowMs);
  }
}

function mostWithin(entries: readonly Entry[], windowMs: number): number {
  let most = 0;
  let sum = 0;
  let first = 0;
  for (const { at, cost } of entries) {
    sum += cost;
    for (let oldest = entries[first]; oldest !== undefined; oldest = entries[first]) {
      if (at - oldest.at < windowMs) break;
      sum -= oldest.cost;
      first++;
    }
    most = Math.max(most, sum);
  }
  return most;
}

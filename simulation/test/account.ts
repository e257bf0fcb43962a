import type { CallContext, CallOptions, Executor, Operation } from '@temper/core';
import type { ManualClock } from '@temper/testkit/clock';

/** Something that an account saw, at so many milliseconds of the clock. */
interface Entry {
  readonly at: number;
  readonly cost: number;
  readonly key: string | undefined;
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
  /** Violations seen at the moment of an entry. */
  readonly problems: string[] = [];
  readonly #policy: Executor;
  readonly #clock: ManualClock;
  readonly #onEntry: (call: CallContext) => string | undefined;

  /** @param onEntry - says what is wrong with letting a call through now */
  constructor(
    policy: Executor,
    clock: ManualClock,
    onEntry: (call: CallContext) => string | undefined = () => undefined,
  ) {
    this.#policy = policy;
    this.#clock = clock;
    this.#onEntry = onEntry;
  }

  get ended(): number {
    return this.succeeded + this.failed;
  }

  /** A call of the policy. */
  async execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T> {
    // A call that has no time left when it is made ends before it reaches the policy.
    if ((options?.parent?.deadline ?? Number.POSITIVE_INFINITY) <= this.#clock.monotonic())
      return this.#policy.execute(operation, options);
    this.calls++;
    let entries = 0;
    try {
      const value = await this.#policy.execute((call) => {
        this.mostPerCall = Math.max(this.mostPerCall, ++entries);
        return this.#enter(operation, call);
      }, options);
      this.succeeded++;
      return value;
    } catch (error) {
      this.failed++;
      throw error;
    }
  }

  #enter<T>(operation: Operation<T>, call: CallContext): T | PromiseLike<T> {
    const problem = this.#onEntry(call);
    if (problem !== undefined) this.problems.push(problem);
    this.entries.push({ at: this.#clock.monotonic(), cost: call.cost, key: call.key });
    this.#move(call.key, call.cost);
    const leave = (): void => this.#move(call.key, -call.cost);
    const result = operation(call);
    // The policy gets what the operation returned, also if that is a promise of another library.
    if (result instanceof Promise) result.then(leave, leave);
    else leave();
    return result;
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

import type { BreakerState, FaultState, Health, OperationSecond, Second } from './wire.ts';

const KEPT_SECONDS = 120;
/** Seconds that a percentile covers. */
const LATENCY_SECONDS = 10;

interface Sum {
  readonly calls: number;
  readonly success: number;
  readonly degraded: number;
  readonly rejected: number;
  readonly failure: number;
  readonly retries: number;
}

/** In place of what says what is so now. */
export const UNKNOWN = 'Not known while the service is away.';

/** The page's data: the last two minutes and the current states. */
export class Recent {
  readonly faults = new Map<string, FaultState>();
  readonly breakers = new Map<string, BreakerState>();
  seconds: Second[] = [];
  health: Health | undefined;
  connected = false;

  reset(history: readonly Second[]): void {
    this.seconds = [...history];
    this.#take(this.seconds.at(-1));
  }

  add(second: Second): void {
    this.seconds.push(second);
    if (this.seconds.length > KEPT_SECONDS) this.seconds.shift();
    this.#take(second);
  }

  get last(): Second | undefined {
    return this.seconds.at(-1);
  }

  /** Sums over the last seconds, of some operations or of all. */
  sum(seconds: number, operations?: readonly string[]): Sum {
    const sum = { calls: 0, success: 0, degraded: 0, rejected: 0, failure: 0, retries: 0 };
    for (const second of this.seconds.slice(-seconds)) {
      for (const [name, one] of Object.entries(second.operations)) {
        if (operations === undefined || operations.includes(name)) addTo(sum, one);
      }
    }
    return sum;
  }

  /** Requests that the rate limit of the clients refused in the last seconds. */
  turnedAway(seconds: number): number {
    return this.seconds.slice(-seconds).reduce((sum, second) => sum + second.turnedAway, 0);
  }

  /** The highest p99 of some operations. Each covers ten seconds. */
  p99(operations: readonly string[]): number | undefined {
    const values = operations.flatMap((name) => this.#latest(name)?.p99Ms ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  }

  /** The state of a circuit; unknown while the service is away. */
  breaker(name: string): BreakerState {
    return this.connected ? (this.breakers.get(name) ?? 'unknown') : 'unknown';
  }

  #latest(name: string): OperationSecond | undefined {
    return this.seconds
      .slice(-LATENCY_SECONDS)
      .findLast(({ operations }) => operations[name] !== undefined)?.operations[name];
  }

  #take(second: Second | undefined): void {
    for (const [name, { state }] of Object.entries(second?.breakers ?? {})) {
      this.breakers.set(name, state);
    }
  }
}

function addTo(sum: { -readonly [K in keyof Sum]: number }, one: OperationSecond): void {
  sum.calls += one.calls;
  sum.success += one.successes;
  sum.degraded += one.degraded;
  // A rejected call with a degraded answer counts as degraded only.
  sum.rejected += Math.max(0, one.calls - one.successes - one.degraded - one.failures);
  sum.failure += one.failures;
  sum.retries += Math.max(0, one.attempts - one.calls);
}

/** Formats a duration. */
export function millis(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1_000) return `${Math.round(value)} ms`;
  return `${(value / 1_000).toFixed(1)} s`;
}

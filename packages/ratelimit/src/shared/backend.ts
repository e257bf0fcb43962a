import { RateLimitExceededError, type RejectionReason } from '../errors.ts';
import type { Decision, Lease, LimitState } from '../limiter.ts';
import type { Levels } from '../observer.ts';
import type { LeaseLostError } from './errors.ts';
import type { LocalLimits } from './local-limits.ts';
import { NodeCount } from './node-count.ts';
import type { ResolvedSharedOptions } from './options.ts';
import { QueueSlots } from './queue-slots.ts';
import { StoreAccess } from './store-access.ts';
import type { StorePart } from './store-part.ts';
import { TimerHeap } from './timer-heap.ts';

/** A call that waits for its turn. */
export interface TurnRequest {
  readonly key: string;
  /** Who asks, where calls are served in fair order. */
  readonly caller: string;
  readonly cost: number;
  /** When its turn must have come, on the clock's monotonic scale; `Infinity` for no limit. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** A call that asks several limits, as one of them sees it. */
export interface PartRequest extends Pick<TurnRequest, 'key' | 'caller' | 'cost'> {
  /** How long the call can wait to be asked for again, in milliseconds. */
  readonly maxWaitMs: number;
}

/** A lease that can be lost while it is held. */
export interface LosableLease extends Lease {
  /** Called once when the lease is lost; at once when it is lost already. `undefined` stops that. */
  watch(lost: ((error: LeaseLostError) => void) | undefined): void;
}

/** Whether the permits of a lease can be lost: those in a store, not those of this process. */
export function isLosable(lease: Lease): lease is LosableLease {
  return 'watch' in lease;
}

/** A turn that has come. */
export interface Turn {
  readonly lease: Lease;
  readonly waited: boolean;
  /** Gives everything back, for a call that ended before it could use its turn. */
  undo(): void;
}

/** An answer to a call that does not wait. */
export interface Answer {
  readonly decision: Decision;
  /** As of {@link Turn}. */
  undo(): void;
  /** When a call that waits is to ask again, in milliseconds, where that is not `retryAfterMs`. */
  readonly askAgainMs?: number | undefined;
}

/** One kind of shared limit in a store. Every method that asks the store rejects with `StoreFailure`. */
export interface SharedBackend<L extends Levels = Levels> {
  readonly kind: 'rate' | 'permits';
  /** Most units of a key that can ever be taken at once. */
  capacity(key: string): number;
  /** The limits that hold while the store is unavailable. */
  readonly local: Pick<LocalLimits<unknown>, 'of' | 'queued'>;
  /** @throws {RangeError} when this kind cannot take such a cost */
  checkCost(cost: number): void;
  /** Waits for a turn, in order of arrival. */
  acquire(request: TurnRequest): Promise<Turn>;
  /** Asks without waiting. Calls that wait come first. */
  take(key: string, cost: number, caller: string): Promise<Answer>;
  /** Whether calls of this process wait for the key, which come first. */
  contended(key: string): boolean;
  /** How a call asks this limit in one step with others; `undefined` where it decides without the store. */
  partOf(request: PartRequest): StorePart | undefined;
  peek(key: string): Promise<LimitState>;
  /** The state of a limit of which nothing is used. */
  unused(key: string): LimitState;
  /** What this kind adds to the limiter's levels and statistics. */
  levels(): L;
}

/** What a backend shares with its policy: the store, timers, slots for waiting calls, the number of processes. */
export class SharedParts {
  readonly options: ResolvedSharedOptions;
  readonly store: StoreAccess;
  readonly timers: TimerHeap;
  readonly slots: QueueSlots;
  readonly nodes: NodeCount;

  constructor(options: ResolvedSharedOptions) {
    const { clock, maxQueue, maxWaitMs } = options;
    this.options = options;
    this.timers = new TimerHeap(clock);
    this.store = new StoreAccess(options, this.timers);
    this.slots = new QueueSlots(maxWaitMs === 0 ? 0 : maxQueue);
    this.nodes = new NodeCount(options, this.store);
  }

  /** The error of a call that is refused. */
  refusal(
    limit: number,
    reason: RejectionReason,
    cost: number,
    retryAfterMs: number | undefined,
  ): RateLimitExceededError {
    // Where waiting is turned off, neither the queue nor the deadline is what refused the call.
    const shown = reason !== 'cost' && this.slots.max === 0 ? 'limit' : reason;
    const rest = { limit, remaining: 0, retryAfterMs, cost };
    return new RateLimitExceededError(this.options.name, { reason: shown, ...rest });
  }

  /** The refusal of a cost that can never pass. */
  tooMuch(capacity: number, cost: number): RateLimitExceededError {
    const rest = {
      limit: capacity,
      remaining: capacity,
      retryAfterMs: Number.POSITIVE_INFINITY,
      cost,
    };
    return new RateLimitExceededError(this.options.name, { reason: 'cost', ...rest });
  }
}

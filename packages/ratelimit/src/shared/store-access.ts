import { type Clock, OperationTimeoutError } from '@temper/core';
import { nativePromise } from '@temper/core/policy';
import { MAX_BLOCK_MS } from '../changes/rate-controls.ts';
import { boundedKey } from '../keyed/bounded-key.ts';
import type {
  JointRequest,
  JointResult,
  PermitCall,
  PermitResult,
  RateChange,
  RateLimitStore,
  StoreRule,
  TakeCall,
  TakeResult,
} from './store.ts';
import type { PartAnswer, StorePart } from './store-part.ts';
import { readJoint, readLost, readNodes, readPermits, readTake } from './store-replies.ts';
import type { TimerHeap } from './timer-heap.ts';

/** The store did not answer. Tells a failure of the store from its answers; never leaves the package. */
export class StoreFailure extends Error {
  /** How long the request took, in milliseconds. */
  readonly tookMs: number;

  constructor(cause: unknown, tookMs: number) {
    super('The store has failed.', { cause });
    this.tookMs = tookMs;
  }
}

/** Where the limits of one name are kept. */
export interface StoreOptions {
  readonly name: string;
  readonly store: RateLimitStore;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * The store as the limiters of one name ask it. Every request ends after `timeoutMs` at the latest, whatever the
 * store does, and every answer is checked. What is granted later than that is given back.
 *
 * All methods reject with {@link StoreFailure}.
 */
export class StoreAccess {
  readonly #store: RateLimitStore;
  readonly #limiter: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #timers: TimerHeap;

  constructor({ name, store, timeoutMs, clock }: StoreOptions, timers: TimerHeap) {
    this.#store = store;
    this.#limiter = name;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#timers = timers;
  }

  take(given: string, rule: StoreRule, calls: readonly TakeCall[]): Promise<TakeResult> {
    const key = boundedKey(given);
    return this.#ask(
      () => this.#store.take({ limiter: this.#limiter, key, rule, calls }),
      (reply) => readTake(reply, rule, calls, MAX_BLOCK_MS),
      ({ answers }) => {
        for (const [i, answer] of answers.entries()) {
          if (!answer.taken) continue;
          void ignoringFailure(this.giveBack(given, rule, calls[i]!.cost, answer.receipt));
        }
      },
    );
  }

  /**
   * Asks several limits in one step.
   *
   * @returns one answer per part; `undefined` when they cannot be asked in one step
   */
  async takeAll(parts: readonly StorePart[]): Promise<readonly PartAnswer[] | undefined> {
    const rates = parts.filter((part) => part.kind === 'rate');
    const permits = parts.filter((part) => part.kind === 'permits');
    const request: JointRequest = {
      rates: rates.map((part) => part.request),
      permits: permits.map((part) => part.request),
    };
    const answersOf = (result: JointResult): readonly PartAnswer[] => {
      const units = new Map<StorePart, PartAnswer>();
      for (const [i, part] of rates.entries()) units.set(part, part.answer(result.rates[i]!));
      for (const [i, part] of permits.entries()) units.set(part, part.answer(result.permits[i]!));
      return parts.map((part) => units.get(part)!);
    };
    try {
      const result = await this.#ask(
        () => this.#store.takeAll?.(request),
        (reply) => readJoint(reply, request, MAX_BLOCK_MS),
        (late) => {
          if (late?.taken !== true) return;
          for (const { undo } of answersOf(late)) undo();
        },
      );
      return result && answersOf(result);
    } catch (error) {
      for (const part of permits) part.lost();
      throw error;
    }
  }

  giveBack(given: string, rule: StoreRule, cost: number, receipt: string): Promise<void> {
    const key = boundedKey(given);
    return this.#ask(
      () => this.#store.giveBack({ limiter: this.#limiter, key, rule, cost, receipt }),
      nothing,
    );
  }

  change(given: string, rule: StoreRule, change: RateChange): Promise<void> {
    const key = boundedKey(given);
    return this.#ask(
      () => this.#store.change({ limiter: this.#limiter, key, rule, change }),
      nothing,
    );
  }

  /**
   * @param key - bounded
   * @param late - receives an answer that comes too late
   */
  takePermits(
    key: string,
    calls: readonly PermitCall[],
    { limit, leaseMs }: { readonly limit: number; readonly leaseMs: number },
    late: (result: PermitResult) => void,
  ): Promise<PermitResult> {
    return this.#ask(
      () => this.#store.takePermits({ limiter: this.#limiter, key, calls, limit, leaseMs }),
      (reply) => readPermits(reply, calls.length, leaseMs),
      late,
    );
  }

  /** @returns the leases that are lost */
  renewPermits(
    key: string,
    leases: readonly string[],
    leaseMs: number,
  ): Promise<ReadonlySet<string>> {
    return this.#ask(
      () => this.#store.renewPermits({ limiter: this.#limiter, key, leases, leaseMs }),
      (reply) => readLost(reply, leases),
    );
  }

  returnPermits(key: string, leases: readonly string[], leaseMs: number): Promise<void> {
    return this.#ask(
      () => this.#store.returnPermits({ limiter: this.#limiter, key, leases, leaseMs }),
      nothing,
    );
  }

  announce(node: string, ttlMs: number): Promise<number> {
    return this.#ask(
      () => this.#store.announce({ limiter: this.#limiter, node, ttlMs }),
      readNodes,
    );
  }

  /**
   * The caller owns the answer from the moment in which the promise is fulfilled; until then this does.
   *
   * @param late - receives an answer that comes too late; must not throw
   */
  #ask<T>(
    request: () => unknown,
    read: (reply: unknown) => T,
    late: (answer: T) => void = nothing,
  ): Promise<T> {
    const since = this.#clock.monotonic();
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        reject(new StoreFailure(cause, this.#clock.monotonic() - since));
      };
      const timeout = this.#timers.add(since + this.#timeoutMs, () => {
        const subject = `Store of limiter '${this.#limiter}'`;
        fail(new OperationTimeoutError(this.#limiter, this.#timeoutMs, subject));
      });
      const inTime = (): boolean => {
        const waits = timeout.callback !== undefined;
        this.#timers.clear(timeout);
        return waits;
      };
      const failed = (error: unknown): void => {
        if (inTime()) fail(error);
      };
      const answered = (reply: unknown): void => {
        let answer: T;
        try {
          answer = read(reply);
        } catch (error) {
          failed(error);
          return;
        }
        if (inTime()) resolve(answer);
        else late(answer);
      };
      try {
        nativePromise(request()).then(answered, failed);
      } catch (error) {
        failed(error);
      }
    });
  }
}

function nothing(): void {
  // Whatever the store returns.
}

/** Waits for a request whose failure changes nothing: units that are lost cost throughput and no more. */
export async function ignoringFailure(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch {
    // The next request meets the same failure and reports it.
  }
}

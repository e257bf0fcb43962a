import {
  type CallContext,
  checkNumber,
  type Operation,
  retryAfterOf,
  show,
  statusOf,
} from '@temper/core';
import { invoke } from '../invoke.ts';
import type { AcquireOptions, Lease, Limiter, Quota, RequestCounts } from '../limiter.ts';
import { type QueueOptions, type ResolvedQueueOptions, resolveQueueOptions } from '../options.ts';
import { QueuedLimiter } from '../queued-limiter.ts';
import { type Levels, onListenerError } from '../telemetry.ts';
import { type Gate, WaitQueue } from '../wait-queue.ts';
import { parseRateLimit, parseRateLimitPolicy, type QuotaPolicy } from './fields.ts';
import { fieldOf } from './response-fields.ts';
import { type TellOf, ToldLimits } from './told-limits.ts';

/** Options of {@link clientRateLimit}. */
export interface ClientRateLimitOptions extends QueueOptions {
  /**
   * Which partition of the server's quotas the calls belong to, as the server tells it in `pk`: its
   * bytes, or their text. What is told of other partitions is then not heard.
   *
   * @defaultValue every partition that is told counts
   */
  readonly partitionKey?: Uint8Array | string;
  /**
   * Longest time that a server is obeyed without another look, in milliseconds: a `t` or
   * `Retry-After` of a year must not stop a client for a year.
   *
   * @defaultValue 600_000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly maxBlockMs?: number;
}

/** The defaults, as the README's table shows them. */
export const CLIENT_DEFAULTS: { readonly maxBlockMs: 600_000 } = { maxBlockMs: 600_000 };

/** A lease that wants to hear the answer. */
export interface ClientLease extends Lease {
  /** Takes in what an answer, or an error that has one, tells of the server's limits. */
  hear(answer: unknown): void;
}

/** A limiter whose limits are the server's. */
export interface ClientRateLimit extends Limiter {
  acquire(options?: AcquireOptions): Promise<ClientLease>;
  stats(): RequestCounts & { readonly queued: number };
}

/** How long a limit that tells no reset is taken to last. */
const NO_RESET_MS = 1000;
/** The limit that `Retry-After` sets; no policy can have this name. */
const CLOSED = '\n';

class HearingLease implements ClientLease {
  readonly cost: number;
  readonly #limiter: ObedientLimiter;
  readonly #call: number;

  constructor(limiter: ObedientLimiter, cost: number, call: number) {
    this.#limiter = limiter;
    this.#call = call;
    this.cost = cost;
  }

  hear(answer: unknown): void {
    this.#limiter.hear(this.#call, answer);
  }

  release(): void {
    // The server has counted the call; there is nothing to give back.
  }

  [Symbol.dispose](): void {
    // As above.
  }
}

class ObedientLimiter extends QueuedLimiter implements ClientRateLimit, Gate {
  protected readonly capacity: number = Number.POSITIVE_INFINITY;
  readonly #told = new ToldLimits();
  readonly #policies = new Map<string, QuotaPolicy>();
  readonly #partition: string | undefined;
  readonly #maxBlockMs: number;
  #queue: WaitQueue | undefined;
  #calls = 0;

  constructor(options: ResolvedQueueOptions, partition: string | undefined, maxBlockMs: number) {
    super(options);
    this.#partition = partition;
    this.#maxBlockMs = maxBlockMs;
  }

  declare acquire: ClientRateLimit['acquire'];

  get queued(): number {
    return this.#queue === undefined ? 0 : this.#queue.size;
  }

  protected openQueue(): WaitQueue {
    this.#queue ??= new WaitQueue(this.clock, this, this.options.maxQueue);
    return this.#queue;
  }

  protected pass(cost: number): boolean {
    return this.#told.take(cost, this.clock.monotonic()) === 0;
  }

  take(cost: number, now: number): number {
    return this.#told.take(cost, now);
  }

  /** Whoever waits behind others may hear of more in the meantime: only the first turn is known. */
  forecast(_queue: WaitQueue, _cost: number, _deadline: number, now: number): number {
    return now + this.#told.wait(now);
  }

  protected readyInMs(): number {
    return this.#told.wait(this.clock.monotonic());
  }

  protected lease(cost: number): HearingLease {
    // Leases are made in the order in which calls are let go.
    return new HearingLease(this, cost, ++this.#calls);
  }

  protected async run<T>(operation: Operation<T>, context: CallContext, cost: number): Promise<T> {
    const lease = this.lease(cost);
    try {
      const value = await invoke(operation, context);
      lease.hear(value);
      return value;
    } catch (error) {
      lease.hear(error);
      throw error;
    }
  }

  hear(call: number, answer: unknown): void {
    try {
      this.#told.hear(call, this.#tellsOf(answer), this.clock.monotonic());
    } catch (error) {
      // An answer with hostile getters says nothing.
      onListenerError(error);
    }
    this.#queue?.wake();
  }

  #tellsOf(answer: unknown): TellOf[] {
    // What a cache remembers of a limit is history.
    if (Number(fieldOf(answer, 'age')) > 0) return [];
    const retryAfterMs = this.#refusalOf(answer);
    const tells: TellOf[] = [];
    if (retryAfterMs !== undefined) {
      tells.push({ key: CLOSED, remaining: 0, resetMs: this.#bounded(retryAfterMs) });
    }
    for (const policy of parseRateLimitPolicy(fieldOf(answer, 'ratelimit-policy') ?? '') ?? []) {
      this.#policies.set(policy.name, policy);
    }
    for (const limit of parseRateLimit(fieldOf(answer, 'ratelimit') ?? '') ?? []) {
      const partition = base64(limit.partitionKey);
      if (this.#partition !== undefined && partition !== this.#partition) continue;
      const policy = this.#policies.get(limit.name);
      // Quotas of bytes or of calls at a time say nothing about when the next call may go.
      if (policy?.unit !== undefined && policy.unit !== 'requests') continue;
      const seconds = limit.resetSeconds ?? policy?.windowSeconds;
      const resetMs =
        limit.remaining === 0 && retryAfterMs !== undefined
          ? retryAfterMs // Retry-After comes first
          : seconds === undefined
            ? NO_RESET_MS
            : seconds * 1000;
      tells.push({
        key: `${limit.name}\n${partition}`,
        remaining: limit.remaining,
        resetMs: this.#bounded(resetMs),
      });
    }
    return tells;
  }

  /** `Retry-After` of a refusal; on a redirect it means something else. */
  #refusalOf(answer: unknown): number | undefined {
    const status = statusOf(answer);
    if (status !== undefined && status < 400) return undefined;
    return retryAfterOf(answer, this.clock.now());
  }

  #bounded(ms: number): number {
    return Math.min(ms, this.#maxBlockMs);
  }

  quota(): Quota {
    const now = this.clock.monotonic();
    const remaining = this.#told.remaining(now);
    const quotas = [...this.#policies.values()].filter(
      ({ unit = 'requests' }) => unit === 'requests',
    );
    const [tightest] = quotas.sort((a, b) => a.quota - b.quota);
    const seconds = tightest?.windowSeconds;
    return {
      limit: tightest?.quota ?? Number.POSITIVE_INFINITY,
      windowMs: seconds === undefined ? undefined : seconds * 1000,
      remaining: this.queued > 0 ? 0 : (remaining ?? Number.POSITIVE_INFINITY),
      resetMs: this.#told.wait(now) || undefined,
    };
  }

  levels(): Levels {
    const remaining = this.#told.remaining(this.clock.monotonic());
    return { queued: this.queued, ...(remaining === undefined ? {} : { available: remaining }) };
  }

  stats(): RequestCounts & { readonly queued: number } {
    return { queued: this.queued, ...this.counts };
  }
}

function base64(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('base64');
}

/**
 * Makes a policy that keeps to the limits that a server tells: `RateLimit`, `RateLimit-Policy` and
 * `Retry-After` on what the operation returns (a `Response`, or anything with `headers`) or throws.
 * Until something is told, everything passes.
 *
 * ```ts
 * const api = clientRateLimit({ name: 'registry' });
 * const response = await api.execute(({ signal }) => fetch(url, { signal }));
 * ```
 *
 * Put it inside a retry: each try is a call of its own.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function clientRateLimit(options: ClientRateLimitOptions = {}): ClientRateLimit {
  const owner = 'clientRateLimit';
  const own = ['partitionKey', 'maxBlockMs'];
  const common = resolveQueueOptions(owner, 'client-rate-limit', options, own);
  const { partitionKey, maxBlockMs = CLIENT_DEFAULTS.maxBlockMs } = options;
  checkNumber(owner, 'maxBlockMs', maxBlockMs, { min: 0, aboveMin: true, infinite: false });
  if (
    partitionKey !== undefined &&
    typeof partitionKey !== 'string' &&
    !(partitionKey instanceof Uint8Array)
  ) {
    throw new TypeError(
      `${owner}: partitionKey must be bytes or their text, got ${show(partitionKey)}.`,
    );
  }
  const partition =
    partitionKey === undefined ? undefined : Buffer.from(partitionKey as string).toString('base64');
  return new ObedientLimiter(common, partition, maxBlockMs);
}

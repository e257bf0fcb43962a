import { isRefusal, type Operation, type Outcome } from '@temper/core';
import {
  Call,
  decide,
  isError,
  isNeutral,
  notify,
  PolicyBase,
  type PolicyDescription,
  reportCallbackError,
} from '@temper/core/policy';
import { readKey } from '../changes/rate-controls.ts';
import type {
  AcquireOptions,
  Decision,
  Lease,
  Limiter,
  LimitState,
  RequestCounts,
} from '../limiter.ts';
import { type Levels, type LimiterObserver, totalsOf } from '../observer.ts';
import type { RefusalListener, Refusing } from '../refusals.ts';
import { LimiterTelemetry, observeLevels } from '../telemetry.ts';
import type { Gate } from '../wait/gate.ts';
import { QueuedTurns } from '../wait/queued-turns.ts';
import type { Turns } from '../wait/turns.ts';
import {
  type ClientRateLimitOptions,
  type ResolvedClientOptions,
  resolveClientOptions,
} from './client-options.ts';
import { isServed, type ResponseLike, responseIn } from './response-fields.ts';
import { ServerAnnouncements } from './server-announcements.ts';
import { type AnnouncedLimit, ServerLimits } from './server-limits.ts';

/** What the outcome of a call says about the limits of the server. */
interface Announcement {
  readonly announced: readonly AnnouncedLimit[];
  /** Whether the server has served the call: a limit that it has not announced is in force no more. */
  readonly answered: boolean;
}

const SILENT: Announcement = { announced: [], answered: false };

/** A lease that takes the response to its call. */
export interface ClientLease extends Lease {
  /**
   * Reads the limits that a response announces.
   *
   * @param result - what the HTTP client returned or threw
   */
  update(result: unknown): void;
}

/** A limiter that follows the limits of a server. */
export interface ClientRateLimit extends Limiter<ClientLease>, Refusing {
  stats(): RequestCounts & { readonly queued: number };
}

class ServerLease implements ClientLease {
  readonly cost: number;
  readonly #limiter: ClientPolicy;
  /** Number of the call. */
  readonly #number: number;

  constructor(limiter: ClientPolicy, cost: number, number: number) {
    this.#limiter = limiter;
    this.#number = number;
    this.cost = cost;
  }

  update(result: unknown, call: Call = new Call()): void {
    const outcome: Outcome<unknown> = isError(result)
      ? { ok: false, error: result }
      : { ok: true, value: result };
    this.end(outcome, call);
  }

  end(outcome: Outcome<unknown>, call: Call): void {
    this.#limiter.learn(this.#number, outcome, call);
  }

  /** Ends the call. The server may have counted it: there is nothing to give back. */
  release(): void {
    this.#limiter.settle(this.#number, true);
  }

  /** Ends the call, which was not made. */
  withdraw(): void {
    this.#limiter.settle(this.#number, false);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

class ClientPolicy extends PolicyBase implements ClientRateLimit, Gate {
  readonly capacity: number = Number.POSITIVE_INFINITY;
  readonly #options: ResolvedClientOptions;
  readonly #limits = new ServerLimits();
  readonly #announcements: ServerAnnouncements;
  readonly #observer: LimiterObserver;
  readonly #turns: Turns;
  readonly #levels: Disposable;
  #calls = 0;

  constructor(options: ResolvedClientOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#announcements = new ServerAnnouncements(options.partitionKey, options.maxBlockMs);
    this.#observer = new LimiterTelemetry(this, options);
    this.#turns = new QueuedTurns(this, options, this.#observer, {
      // Calls behind the first may be served earlier, after another announcement: only its turn is known.
      foresee: () => (_queue, _cost, _deadline, now) => now + this.#limits.wait(now),
    });
    this.#levels = observeLevels(this, options.telemetry);
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#observer.refusals.onReject(listener);
  }

  tryAcquire(options: AcquireOptions = {}): ServerLease | undefined {
    const cost = this.#turns.costOf(options);
    return this.#turns.tryEnter(cost) ? this.#lease(cost) : undefined;
  }

  async acquire(options?: AcquireOptions): Promise<ServerLease> {
    return this.#lease(await this.#turns.acquire(options));
  }

  take(options?: AcquireOptions): Decision<ServerLease> {
    const lease = this.tryAcquire(options);
    const allowed = lease !== undefined;
    return { ...this.peek(), allowed, retryAfterMs: allowed ? 0 : this.delay(), lease };
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const answered = this.#turns.enter(call.cost) ? undefined : await this.#turns.wait(call);
    const lease = this.#lease(call.cost);
    if (call.aborted) {
      lease.withdraw();
      throw call.reason;
    }
    let value: T;
    try {
      value = await operation(call);
    } catch (error) {
      lease.end({ ok: false, error }, call);
      throw error;
    }
    answered?.();
    lease.end({ ok: true, value }, call);
    return value;
  }

  /** Leases are created in the order in which calls pass, so that their numbers follow it. */
  #lease(cost: number): ServerLease {
    return new ServerLease(this, cost, ++this.#calls);
  }

  tryTake(cost: number, now: number = this.clock.monotonic()): boolean {
    return this.#limits.take(cost, now) === 0;
  }

  delay(): number {
    return this.#limits.wait(this.clock.monotonic());
  }

  /** Takes over the limits in the outcome of a call. Never throws. */
  learn(number: number, outcome: Outcome<unknown>, call: Call): void {
    if (isNeutral(outcome, call)) {
      this.settle(number, !(call.awaitsCapacity || (!outcome.ok && isRefusal(outcome.error))));
      return;
    }
    const { shouldHandle } = this.#options;
    const handled = shouldHandle === undefined || decide(this.name, shouldHandle, outcome, call);
    const { announced, answered } = handled ? this.#announcedIn(outcome) : SILENT;
    // Only an answer of the server says that a limit is announced no more.
    if (announced.length === 0 && !answered && !(outcome.ok && !handled)) {
      this.settle(number, true);
      return;
    }
    this.#limits.update(number, announced, this.clock.monotonic());
    this.#turns.wake();
  }

  /** @param sent - whether the server may have received the call */
  settle(number: number, sent: boolean): void {
    this.#limits.settle(number, sent);
    this.#turns.wake();
  }

  #announcedIn(outcome: Outcome<unknown>): Announcement {
    try {
      const response = this.#responseOf(outcome);
      // A value that is no response was made of one that nobody refused.
      if (response === undefined) return { announced: [], answered: outcome.ok };
      return {
        announced: this.#announcements.read(response, this.clock.now()),
        answered: isServed(response),
      };
    } catch (error) {
      reportCallbackError(this.name, 'responseOf', error); // a hostile getter
      return SILENT;
    }
  }

  #responseOf(outcome: Outcome<unknown>): ResponseLike | undefined {
    const { responseOf } = this.#options;
    if (responseOf === undefined) return responseIn(outcome);
    let response: unknown;
    notify(this.name, 'responseOf', () => {
      response = responseOf(outcome);
      return response;
    });
    if (response === undefined) return undefined;
    const { headers } = (response ?? {}) as { headers?: unknown };
    if (typeof headers === 'object' && headers !== null) return response as ResponseLike;
    throw new TypeError('It must return { status, headers } or undefined.');
  }

  peek(options?: Pick<AcquireOptions, 'key'>): LimitState {
    if (options !== undefined) readKey(this.name, options);
    const now = this.clock.monotonic();
    const { quota, windowSeconds } = this.#announcements.smallestQuota ?? {};
    const remaining = this.#limits.remaining(now) ?? Number.POSITIVE_INFINITY;
    return {
      limit: quota ?? Number.POSITIVE_INFINITY,
      windowMs: windowSeconds === undefined ? undefined : windowSeconds * 1000,
      remaining: this.#turns.queued > 0 ? 0 : remaining,
      resetMs: this.#limits.wait(now) || undefined,
    };
  }

  levels(): Levels {
    const available = this.#limits.remaining(this.clock.monotonic());
    const { queued } = this.#turns;
    return available === undefined ? { queued } : { queued, available };
  }

  stats(): RequestCounts & { readonly queued: number } {
    return { queued: this.#turns.queued, ...totalsOf(this.#observer) };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }
}

/**
 * Creates a policy that follows the limits that a server announces: `RateLimit`, `RateLimit-Policy` and
 * `Retry-After` of a `Response` that the operation returns, or of an error of an HTTP client. Until the
 * server announces a limit, every call passes.
 *
 * ```ts
 * const api = clientRateLimit({ name: 'registry' });
 * const response = await api.execute(({ signal }) => fetch(url, { signal }));
 * ```
 *
 * Put it inside a retry: each attempt is a call of its own.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function clientRateLimit(options: ClientRateLimitOptions = {}): ClientRateLimit {
  return new ClientPolicy(resolveClientOptions(options));
}

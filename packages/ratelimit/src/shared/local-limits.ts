import { RateLimitExceededError } from '../errors.ts';
import { boundedKey } from '../keyed/bounded-key.ts';
import type { Limiter, RequestCounts } from '../limiter.ts';
import { ConcurrencyPolicy } from '../limiters/concurrency.ts';
import { RuleLimiter } from '../limiters/rate-limiter.ts';
import { FixedWindowRule } from '../rules/fixed-window.ts';
import { GcraRule } from '../rules/gcra.ts';
import type { Rule } from '../rules/rule.ts';
import { SlidingWindowRule } from '../rules/sliding-window.ts';
import { TokenBucketRule } from '../rules/token-bucket.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import type { NodeCount } from './node-count.ts';
import type { ResolvedSharedOptions } from './options.ts';
import type { StoreRule } from './store.ts';
import { UNREPORTED } from './unreported.ts';

/** How many keys are looked at in search of one to remove. */
const MAX_SEEN = 64;

/** A limiter of one process, as far as its state is known. */
export interface LocalLimiter extends Limiter {
  stats(): RequestCounts & { readonly queued: number; readonly inFlight?: number };
}

/** The limiter of a key, and the share of the limit that it enforces. */
interface Share<R> {
  readonly limiter: LocalLimiter;
  readonly rule: R;
  readonly nodes: number;
}

/**
 * The limiters by key that enforce this process's share of the limit while the store is unavailable.
 * When the share of a key changes, the units that are in use stay in use.
 */
export class LocalLimits<R> {
  readonly #options: ResolvedSharedOptions;
  readonly #nodes: NodeCount;
  readonly #ruleOf: (key: string) => R;
  readonly #create: (rule: R, nodes: number, options: ResolvedQueueOptions) => LocalLimiter;
  readonly #same: (a: R, b: R) => boolean;
  /** In order of last use. */
  readonly #shares = new Map<string, Share<R>>();
  /** The policy around this reports for its local limiters. */
  readonly #inner: ResolvedQueueOptions;

  constructor(
    options: ResolvedSharedOptions,
    nodes: NodeCount,
    ruleOf: (key: string) => R,
    create: (rule: R, nodes: number, options: ResolvedQueueOptions) => LocalLimiter,
    same: (a: R, b: R) => boolean,
  ) {
    this.#options = options;
    this.#nodes = nodes;
    this.#ruleOf = ruleOf;
    this.#create = create;
    this.#same = same;
    const { onReject, ...inner } = options;
    this.#inner = { ...inner, spans: 'none' };
  }

  /** Calls that wait, over all keys. */
  get queued(): number {
    let queued = 0;
    for (const { limiter } of this.#shares.values()) queued += limiter.stats().queued;
    return queued;
  }

  /** @throws {RateLimitExceededError} when each of `maxLocalKeys` keys is in use */
  of(given: string): LocalLimiter {
    const { nodes } = this.#nodes;
    const rule = this.#ruleOf(given);
    const key = boundedKey(given);
    let share = this.#shares.get(key);
    if (share === undefined) {
      this.#makeRoom();
      share = { limiter: this.#create(rule, nodes, this.#inner), rule, nodes };
    } else {
      this.#shares.delete(key);
      if ((share.nodes !== nodes || !this.#same(share.rule, rule)) && !inUse(share.limiter)) {
        share = { limiter: this.#replace(share.limiter, rule, nodes), rule, nodes };
      }
    }
    this.#shares.set(key, share);
    return share.limiter;
  }

  #replace(old: LocalLimiter, rule: R, nodes: number): LocalLimiter {
    const limiter = this.#create(rule, nodes, this.#inner);
    const before = old.peek();
    const now = limiter.peek();
    // A limit without a window has nothing in use here.
    const cost = before.windowMs === undefined ? 0 : Math.max(0, now.remaining - before.remaining);
    if (cost > 0) limiter.tryAcquire({ cost });
    return limiter;
  }

  /** Removes the key used longest ago of which nothing is used, or least among the first ones. */
  #makeRoom(): void {
    const { maxLocalKeys, name } = this.#options;
    if (this.#shares.size < maxLocalKeys) return;
    let victim: string | undefined;
    let most = Number.NEGATIVE_INFINITY;
    let seen = 0;
    for (const [key, { limiter }] of this.#shares) {
      const { remaining, limit } = limiter.peek();
      if (!inUse(limiter) && remaining / limit > most) {
        victim = key;
        most = remaining / limit;
      }
      if (++seen === MAX_SEEN) break;
    }
    if (victim !== undefined) {
      this.#shares.delete(victim);
      return;
    }
    const rest = { limit: maxLocalKeys, remaining: 0, retryAfterMs: undefined, cost: 1 };
    throw new RateLimitExceededError(name, { reason: 'keys', ...rest });
  }
}

function inUse(limiter: LocalLimiter): boolean {
  const { queued, inFlight = 0 } = limiter.stats();
  return queued > 0 || inFlight > 0;
}

/** One process's share of a rate limit; at least one unit, so that calls of cost 1 can pass. */
export function localRate(
  rule: StoreRule,
  nodes: number,
  options: ResolvedQueueOptions,
): LocalLimiter {
  return new RuleLimiter(shareOf(rule, nodes), options, UNREPORTED);
}

/** One process's share of a concurrency limit, likewise. */
export function localConcurrency(
  limit: number,
  nodes: number,
  options: ResolvedQueueOptions,
): LocalLimiter {
  return new ConcurrencyPolicy(Math.max(1, Math.floor(limit / nodes)), options, UNREPORTED);
}

function shareOf(rule: StoreRule, nodes: number): Rule {
  const limit = rule.limit / nodes;
  switch (rule.kind) {
    case 'token-bucket':
      return new TokenBucketRule(limit, rule.windowMs, Math.max(1, rule.burst / nodes));
    case 'gcra':
      return new GcraRule(limit, rule.windowMs, Math.max(1, rule.burst / nodes));
    case 'sliding-window':
      return new SlidingWindowRule(Math.max(1, limit), rule.windowMs, rule.segments);
    case 'fixed-window':
      return new FixedWindowRule(Math.max(1, limit), rule.windowMs);
  }
}

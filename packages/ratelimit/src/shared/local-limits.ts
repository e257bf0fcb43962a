import { RateLimitExceededError } from '../errors.ts';
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

/** How many keys in use are skipped in search of one to remove. */
const MAX_SKIPPED = 64;

/** A limiter of one process, as far as its state is known. */
export interface LocalLimiter extends Limiter {
  stats(): RequestCounts & { readonly queued: number; readonly inFlight?: number };
}

/**
 * The limiters by key that enforce this process's share of the limit while the store is unavailable.
 * They start anew when the number of processes changes.
 */
export class LocalLimits {
  readonly #options: ResolvedSharedOptions;
  readonly #nodes: NodeCount;
  readonly #create: (nodes: number, options: ResolvedQueueOptions) => LocalLimiter;
  /** In order of last use. */
  readonly #limiters = new Map<string, LocalLimiter>();
  #divisor = 1;
  /** The policy around this reports for its local limiters. */
  readonly #inner: ResolvedQueueOptions;

  constructor(
    options: ResolvedSharedOptions,
    nodes: NodeCount,
    create: (nodes: number, options: ResolvedQueueOptions) => LocalLimiter,
  ) {
    this.#options = options;
    this.#nodes = nodes;
    this.#create = create;
    const { onReject, ...inner } = options;
    this.#inner = { ...inner, spans: 'none' };
  }

  /** Calls that wait, over all keys. */
  get queued(): number {
    let queued = 0;
    for (const limiter of this.#limiters.values()) queued += limiter.stats().queued;
    return queued;
  }

  /** @throws {RateLimitExceededError} when each of `maxLocalKeys` keys is in use */
  of(key: string): LocalLimiter {
    const { nodes } = this.#nodes;
    if (nodes !== this.#divisor) this.#limiters.clear();
    this.#divisor = nodes;
    let limiter = this.#limiters.get(key);
    if (limiter === undefined) {
      this.#makeRoom();
      limiter = this.#create(nodes, this.#inner);
    } else {
      this.#limiters.delete(key);
    }
    this.#limiters.set(key, limiter);
    return limiter;
  }

  #makeRoom(): void {
    const { maxLocalKeys, name } = this.#options;
    if (this.#limiters.size < maxLocalKeys) return;
    let skipped = 0;
    for (const [key, limiter] of this.#limiters) {
      const { queued, inFlight = 0 } = limiter.stats();
      if (queued === 0 && inFlight === 0) {
        this.#limiters.delete(key);
        return;
      }
      if (++skipped === MAX_SKIPPED) break;
    }
    const rest = { limit: maxLocalKeys, remaining: 0, retryAfterMs: undefined, cost: 1 };
    throw new RateLimitExceededError(name, { reason: 'keys', ...rest });
  }
}

/** One process's share of a rate limit; at least one unit, so that calls of cost 1 can pass. */
export function localRate(
  rule: StoreRule,
  nodes: number,
  options: ResolvedQueueOptions,
): LocalLimiter {
  return new RuleLimiter(shareOf(rule, nodes), options, true);
}

/** One process's share of a concurrency limit, likewise. */
export function localConcurrency(
  limit: number,
  nodes: number,
  options: ResolvedQueueOptions,
): LocalLimiter {
  return new ConcurrencyPolicy(Math.max(1, Math.floor(limit / nodes)), options, true);
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

import { Bulkhead } from '../concurrency-limiter.ts';
import { FixedWindowRules } from '../fixed-window.ts';
import { GcraRules } from '../gcra.ts';
import { KeyedObjects } from '../keyed-objects.ts';
import { KEYED_DEFAULTS } from '../keyed-options.ts';
import { KeyedRates } from '../keyed-rates.ts';
import type { ResolvedQueueOptions } from '../options.ts';
import { type Books, noCounts } from '../queued-limiter.ts';
import { RuledLimiter } from '../rate-limiter.ts';
import type { Rules } from '../rules.ts';
import { SlidingWindowRules } from '../sliding-window.ts';
import { SilentMeter } from '../telemetry.ts';
import { TokenBucketRules } from '../token-bucket.ts';
import type { ResolvedSharedOptions } from './options.ts';
import type { StoreRule } from './store.ts';

/** What one of so many processes may do by itself; at least one unit, so that it can do anything. */
function shareOf(rule: StoreRule, nodes: number): Rules {
  const limit = rule.limit / nodes;
  switch (rule.kind) {
    case 'token-bucket':
      return new TokenBucketRules(limit, rule.windowMs, Math.max(1, rule.burst / nodes));
    case 'gcra':
      return new GcraRules(limit, rule.windowMs, Math.max(1, rule.burst / nodes));
    case 'sliding-window':
      return new SlidingWindowRules(Math.max(1, limit), rule.windowMs, rule.segments);
    case 'fixed-window':
      return new FixedWindowRules(Math.max(1, limit), rule.windowMs);
  }
}

/** Options and books of a limiter for which another speaks. */
function inner({ queue }: ResolvedSharedOptions): { queue: ResolvedQueueOptions; books: Books } {
  return {
    queue: { ...queue, spans: 'none', onReject: undefined },
    books: { meter: new SilentMeter(queue.name), counts: noCounts() },
  };
}

/** The rate limits of this process alone. */
export function localRates(
  rule: StoreRule,
  nodes: number,
  shared: ResolvedSharedOptions,
): KeyedRates {
  const { queue, books } = inner(shared);
  const limiter = new RuledLimiter(shareOf(rule, nodes), queue, books);
  const { name, clock } = queue;
  return new KeyedRates({ limiter, key: '' }, undefined, {
    name,
    clock,
    books,
    maxKeys: shared.maxLocalKeys,
    idleMs: undefined,
  });
}

/** The bulkheads of this process alone. */
export function localBulkheads(
  limit: number,
  nodes: number,
  shared: ResolvedSharedOptions,
): KeyedObjects {
  const { queue, books } = inner(shared);
  const share = Math.max(1, Math.floor(limit / nodes));
  const make = (): Bulkhead => new Bulkhead(share, queue, share, books);
  const { name, clock } = queue;
  return new KeyedObjects(make(), make, {
    name,
    clock,
    books,
    maxKeys: shared.maxLocalKeys,
    idleMs: KEYED_DEFAULTS.idleMs,
  });
}

import type { BreakerStats } from '@temper/breaker';
import type { BreakerStore } from '@temper/breaker/shared';
import type { JointRequest, JointResult, RateLimitStore } from '@temper/ratelimit/shared';
import { RedisCircuits } from './circuits.ts';
import { type RedisClient, type ScriptRunner, scriptRunner } from './client.ts';
import { StoreGuard } from './guard.ts';
import { Keys } from './keys.ts';
import {
  type RedisStoreOptions,
  type ResolvedRedisStoreOptions,
  resolveRedisStoreOptions,
} from './options.ts';
import { RedisRateLimits, type RunScript } from './rate-limits.ts';
import type { Script } from './scripts/script.ts';
import { Slots, shardOf } from './shards.ts';

/** Limits and circuits that processes share, on one Redis or Valkey server or cluster. */
export interface RedisStore extends RateLimitStore, BreakerStore, Disposable {
  takeAll(request: JointRequest): Promise<JointResult | undefined>;
  readonly name: string;
  /**
   * State of the store's circuit breaker: no commands are sent while it is `open`. In a cluster, where
   * each master has its own, that of the one that is worst off.
   */
  readonly state: BreakerStats['state'];
  /** Statistics of the store's circuit breaker, in a cluster likewise, with the calls to all masters. */
  stats(): BreakerStats;
  /** The statistics by master, as `host:port`; of a single server under an empty name. */
  shards(): Readonly<Record<string, BreakerStats>>;
}

class ScriptStore implements RedisStore {
  readonly name: string;
  /** Checked by the runner. */
  readonly #client: object;
  readonly #runner: ScriptRunner;
  readonly #guard: StoreGuard;
  readonly #limits: RedisRateLimits;
  readonly #circuits: RedisCircuits;
  readonly #slots: Slots;

  constructor(options: ResolvedRedisStoreOptions) {
    this.name = options.name;
    this.#runner = scriptRunner(options.name, options.client);
    this.#client = options.client as RedisClient;
    this.#slots = new Slots(this.#client);
    this.#guard = new StoreGuard(options);
    const keys = new Keys(options.prefix, options.hashTag);
    const run: RunScript = (script, keys, args) =>
      this.#run(script, typeof keys === 'string' ? [keys] : keys, args);
    this.#limits = new RedisRateLimits(run, keys, (all) => this.#slots.share(all));
    this.#circuits = new RedisCircuits(run, keys);
  }

  /** @param keys - all of one slot */
  #run(
    script: Script,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.#guard.call(shardOf(this.#client, keys[0]), () =>
      this.#slots.watch(this.#runner.run(script, keys, args.map(String))),
    );
  }

  take: RateLimitStore['take'] = (request) => this.#limits.take(request);
  giveBack: RateLimitStore['giveBack'] = (request) => this.#limits.giveBack(request);
  change: RateLimitStore['change'] = (request) => this.#limits.change(request);
  takePermits: RateLimitStore['takePermits'] = (request) => this.#limits.takePermits(request);
  renewPermits: RateLimitStore['renewPermits'] = (request) => this.#limits.renewPermits(request);
  returnPermits: RateLimitStore['returnPermits'] = (request) => this.#limits.returnPermits(request);
  takeAll: NonNullable<RateLimitStore['takeAll']> = (request) => this.#limits.takeAll(request);
  announce: RateLimitStore['announce'] = (request) => this.#limits.announce(request);
  report: BreakerStore['report'] = (report) => this.#circuits.report(report);
  takeTrial: BreakerStore['takeTrial'] = (request) => this.#circuits.takeTrial(request);
  endTrial: BreakerStore['endTrial'] = (result) => this.#circuits.endTrial(result);

  get state(): BreakerStats['state'] {
    return this.#guard.stats().state;
  }

  stats(): BreakerStats {
    return this.#guard.stats();
  }

  shards(): Readonly<Record<string, BreakerStats>> {
    return this.#guard.shards();
  }

  [Symbol.dispose](): void {
    this.#guard[Symbol.dispose]();
  }
}

/**
 * Creates a store of shared limits and circuits on an existing client.
 *
 * ```ts
 * const store = redisStore({ client: new Redis() });
 * const api = sharedRateLimit({ name: 'api', store, limit: 1000, windowMs: 1000 });
 * const bank = circuitBreaker({ name: 'bank', shared: { store } });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range, or the client of neither package
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  return new ScriptStore(resolveRedisStoreOptions(options));
}

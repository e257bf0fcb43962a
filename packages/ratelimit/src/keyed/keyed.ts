import { type Clock, type Operation, systemClock } from '@temper/core';
import { type Call, checkType, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { JOINABLE, KEYED_BY_ITSELF, mark } from '../brands.ts';
import { dumpOf, type LimitDump } from '../changes/limit-dump.ts';
import type { RateChange } from '../changes/rate-change.ts';
import {
  blockTime,
  type KeyOptions,
  type RateControls,
  readKey,
  unitsOf,
} from '../changes/rate-controls.ts';
import { RatePlans, rulesOfPlan } from '../changes/rate-plans.ts';
import { readDump } from '../changes/read-dump.ts';
import type { Joinable, JoinedLimit } from '../joint/member.ts';
import type { AcquireOptions, Decision, Lease, Limiter, LimitState } from '../limiter.ts';
import type { RefusalListener } from '../refusals.ts';
import { readOptions } from '../wait/acquire-options.ts';
import type { KeyTable } from './key-table.ts';
import { LimiterTable } from './limiter-table.ts';
import {
  type KeyedFactoryOptions,
  type KeyedLimiter,
  type KeyedOptions,
  type KeyedRateFactoryOptions,
  type KeyedRateLimiter,
  type KeyedStats,
  type KeyedTemplateOptions,
  type ResolvedKeyedOptions,
  resolveKeyedOptions,
} from './options.ts';
import { RateTable } from './rate-table.ts';
import { observeKeys } from './telemetry.ts';

class KeyedPolicy extends PolicyBase implements KeyedRateLimiter, Joinable {
  readonly #table: KeyTable;
  readonly #levels: Disposable;

  constructor(options: ResolvedKeyedOptions) {
    const { template, maxKeys, idleMs } = options;
    const name = options.name ?? template?.name ?? 'keyed';
    const clock = options.clock ?? template?.options.clock ?? systemClock;
    super(name, clock);
    const telemetry = options.telemetry ?? template?.options.telemetry;
    if (template === undefined) {
      const create = options.limiter;
      this.#table = new LimiterTable({ name, create, maxKeys, idleMs, clock, telemetry });
    } else {
      const queue = { ...template.options, ...(telemetry && { telemetry }), name, clock };
      const { rule } = template;
      const plans =
        options.plan && new RatePlans(name, options.plan, rule.kind, rulesOfPlan(rule.kind));
      this.#table = new RateTable({ rule, plans, queue, maxKeys, idleMs });
      // The template itself is not in use, and must not be reported as an unused limiter.
      template[Symbol.dispose]();
    }
    this.#levels = observeKeys(this, telemetry);
  }

  get [KEYED_BY_ITSELF](): boolean {
    return true;
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#table.onReject(listener);
  }

  tryAcquire(options: AcquireOptions = {}): Lease | undefined {
    const checked = readOptions(this.name, options);
    return this.#table.tryAcquire(this.#needKey(checked.key), checked.cost, checked);
  }

  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const checked = readOptions(this.name, options);
    return this.#table.acquire(this.#needKey(checked.key), checked.cost, checked);
  }

  take(options: AcquireOptions = {}): Decision {
    const checked = readOptions(this.name, options);
    return this.#table.take(this.#needKey(checked.key), checked.cost, checked);
  }

  peek(options: Pick<AcquireOptions, 'key'> = {}): LimitState {
    return this.#table.peek(this.#needKey(readKey(this.name, options)));
  }

  joined(key: string | undefined): JoinedLimit {
    return this.#table.joined(this.#needKey(key));
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return this.#table.runInCall(this.#needKey(call.key), operation, call);
  }

  #needKey(key: string | undefined): string {
    if (key !== undefined) return key;
    throw new TypeError(
      `${this.name}: a keyed limiter needs the key of each call: pass { key } to execute, tryAcquire, acquire, take, peek and the like, or wrap(fn, (...args) => ({ key })).`,
    );
  }

  reset(options?: KeyOptions): void {
    this.#change(options, { kind: 'reset' });
  }

  block(durationMs: number, options?: KeyOptions): void {
    this.#change(options, { kind: 'block', durationMs: blockTime(this.name, durationMs) });
  }

  penalty(units: number, options?: KeyOptions): void {
    this.#change(options, { kind: 'charge', units: unitsOf(this.name, units) });
  }

  reward(units: number, options?: KeyOptions): void {
    this.#change(options, { kind: 'charge', units: -unitsOf(this.name, units) });
  }

  #change(options: KeyOptions = {}, change: RateChange): void {
    this.#table.change(this.#needKey(readKey(this.name, options)), change);
  }

  dump(): LimitDump {
    return dumpOf(this.clock, this.#table.dump());
  }

  restore(dump: LimitDump): void {
    this.#table.restore(readDump(this.name, dump, this.clock, true));
  }

  for(key: string): Limiter & RateControls {
    return new OneKey(this, this.#checked(key), this.clock);
  }

  forget(key: string): boolean {
    return this.#table.forget(this.#checked(key));
  }

  #checked(key: string): string {
    checkType(this.name, 'key', key, 'string');
    readOptions(this.name, { key });
    return key;
  }

  stats(): KeyedStats {
    return this.#table.stats();
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
    this.#table[Symbol.dispose]();
  }
}

mark(KeyedPolicy, JOINABLE);

/** One key of a keyed limiter. Has no state, so that it does not keep the key. */
class OneKey extends PolicyBase implements Limiter, RateControls {
  readonly #limiter: KeyedPolicy;
  readonly #key: string;

  constructor(limiter: KeyedPolicy, key: string, clock: Clock) {
    super(limiter.name, clock);
    this.#limiter = limiter;
    this.#key = key;
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  tryAcquire(options?: AcquireOptions): Lease | undefined {
    return this.#limiter.tryAcquire(this.#keyed(options));
  }

  async acquire(options?: AcquireOptions): Promise<Lease> {
    return this.#limiter.acquire(this.#keyed(options));
  }

  take(options?: AcquireOptions): Decision {
    return this.#limiter.take(this.#keyed(options));
  }

  peek(options?: Pick<AcquireOptions, 'key'>): LimitState {
    return this.#limiter.peek(this.#own(options));
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return this.#limiter.execute(operation, { key: this.#key, parent: call });
  }

  reset(options?: KeyOptions): void {
    this.#limiter.reset(this.#own(options));
  }

  block(durationMs: number, options?: KeyOptions): void {
    this.#limiter.block(durationMs, this.#own(options));
  }

  penalty(units: number, options?: KeyOptions): void {
    this.#limiter.penalty(units, this.#own(options));
  }

  reward(units: number, options?: KeyOptions): void {
    this.#limiter.reward(units, this.#own(options));
  }

  /** Its own key, whatever key the options name. */
  #own(options: KeyOptions | undefined): KeyOptions {
    if (options !== undefined) readKey(this.name, options);
    return { key: this.#key };
  }

  stats(): KeyedStats {
    return this.#limiter.stats();
  }

  #keyed(options: AcquireOptions = {}): AcquireOptions {
    return { ...readOptions(this.name, options), key: this.#key };
  }

  [Symbol.dispose](): void {
    // The keyed limiter is observed, and its keys with it.
  }
}

/**
 * Creates a limiter of its own for each key, of bounded number.
 *
 * ```ts
 * // One rate limit that each key has by itself, kept as a few numbers per key:
 * const perUser = keyed({ template: tokenBucket({ name: 'api', limit: 100, burst: 20 }) });
 * if (perUser.tryAcquire({ key: user }) === undefined) return tooManyRequests();
 *
 * // A limiter per key, created when the key is first used:
 * const perHost = keyed({ limiter: (host) => concurrency({ name: 'hosts', limit: limitOf(host) }) });
 * await perHost.execute(() => fetch(url), { key: new URL(url).host });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range, or not exactly one of
 * `template` and `limiter` is given
 */
export function keyed(options: KeyedTemplateOptions | KeyedRateFactoryOptions): KeyedRateLimiter;
export function keyed<L extends Lease>(options: KeyedFactoryOptions<L>): KeyedLimiter<L>;
export function keyed(options: KeyedOptions): KeyedRateLimiter {
  return new KeyedPolicy(resolveKeyedOptions(options));
}

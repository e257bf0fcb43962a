import {
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkType,
  type ExecutionContext,
  type Operation,
  type Outcome,
  show,
  systemClock,
} from '@temper/core';
import { KeyedObjects } from './keyed-objects.ts';
import {
  KEYED_DEFAULTS,
  type Keyable,
  type KeyedLimiter,
  type KeyedOptions,
  type KeyedStats,
  type KeyTable,
  KNOWN_KEYED_OPTIONS,
} from './keyed-options.ts';
import { KeyedRates } from './keyed-rates.ts';
import type {
  AcquireOptions,
  CostedExecuteOptions,
  Lease,
  Limiter,
  Quota,
  Verdict,
} from './limiter.ts';
import { RuledLimiter } from './rate-limiter.ts';
import { type Levels, observeLevels } from './telemetry.ts';

const NOTHING: KeyedStats = {
  keys: 0,
  evictions: 0,
  queued: 0,
  allowed: 0,
  delayed: 0,
  rejected: 0,
  aborted: 0,
};

class Keyed<L extends Keyable> implements KeyedLimiter<L> {
  readonly #options: KeyedOptions;
  readonly #factory: (key: string) => L;
  readonly #observer: Disposable;
  /** Made at once when one limiter stands for all, with the first key otherwise. */
  #table: KeyTable | undefined;
  #name: string;

  constructor(factory: (key: string) => L, options: KeyedOptions) {
    this.#factory = factory;
    this.#options = options;
    this.#name = options.name ?? 'keyed';
    if (factory.length === 0) this.#table = this.#tableFor(factory(''), '');
    this.#observer = observeLevels(this);
  }

  get name(): string {
    return this.#name;
  }

  #tableFor(first: L, key: string): KeyTable {
    this.#name = this.#options.name ?? first.name;
    const { maxKeys = KEYED_DEFAULTS.maxKeys, idleMs, clock } = this.#options;
    const name = this.#name;
    const factory = this.#factory.length === 0 ? undefined : this.#factory;
    if (first instanceof RuledLimiter) {
      const settings = { name, maxKeys, idleMs, clock: clock ?? first.options.clock };
      return new KeyedRates({ limiter: first, key }, factory, settings);
    }
    const settings = {
      name,
      maxKeys,
      idleMs: idleMs ?? KEYED_DEFAULTS.idleMs,
      clock: clock ?? systemClock,
    };
    return new KeyedObjects(first, this.#factory, settings);
  }

  #tableOf(key: string): KeyTable {
    if (typeof key !== 'string') {
      throw new TypeError(`${this.#name}: key must be a string, got ${show(key)}.`);
    }
    this.#table ??= this.#tableFor(this.#factory(key), key);
    return this.#table;
  }

  tryAcquire(key: string, cost?: number): ReturnType<L['tryAcquire']> {
    return this.#tableOf(key).tryAcquire(key, cost) as ReturnType<L['tryAcquire']>;
  }

  check(key: string, cost?: number): Verdict {
    return this.for(key).check(cost);
  }

  async acquire(key: string, options?: AcquireOptions): Promise<Lease> {
    return this.for(key).acquire(options);
  }

  quota(key: string): Quota {
    return this.#tableOf(key).quota(key);
  }

  async execute<T>(
    key: string,
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecutionContext,
  ): Promise<T> {
    return this.for(key).execute(operation, options);
  }

  async tryExecute<T>(
    key: string,
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>> {
    try {
      return { ok: true, value: await this.execute(key, operation, options) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
    keyOf: (...args: Args) => string,
  ): (this: This, ...args: Args) => Promise<Awaited<R>> {
    checkType(this.#name, 'keyOf', keyOf, 'function');
    const keyedLimiter = this;
    const wrapped = async function (this: This, ...args: Args): Promise<Awaited<R>> {
      return keyedLimiter.execute<R>(keyOf(...args), () =>
        fn.apply(this, [...args] as never),
      ) as Promise<Awaited<R>>;
    };
    Object.defineProperty(wrapped, 'name', { value: fn.name, configurable: true });
    Object.defineProperty(wrapped, 'length', { value: fn.length, configurable: true });
    return wrapped;
  }

  for(key: string): Limiter {
    return this.#tableOf(key).limiter(key);
  }

  forget(key: string): boolean {
    return this.#table?.forget(key) ?? false;
  }

  stats(): KeyedStats {
    return this.#table?.stats() ?? NOTHING;
  }

  levels(): Levels {
    const { keys, queued } = this.stats();
    return { keys, queued };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/**
 * Makes one limiter out of many, one for each key, with bounded memory.
 *
 * ```ts
 * const perUser = keyed(() => tokenBucket({ name: 'api', limit: 100, burst: 20 }), { maxKeys: 50_000 });
 * if (!perUser.tryAcquire(user)) return tooManyRequests();
 *
 * const perPlan = keyed((user) => tokenBucket({ name: 'api', limit: limitOf(user) }));
 * ```
 *
 * Rate limiters (`tokenBucket`, `gcra`, `slidingWindow`, `fixedWindow`) are not kept as such: of each
 * key only its few numbers are, in flat arrays. Other limiters are kept as they are.
 *
 * @param factory - makes the limiter of a key. One that declares no parameter is called once, for all
 * keys; one that declares it, once for each key that is new.
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function keyed<L extends Keyable>(
  factory: (key: string) => L,
  options: KeyedOptions = {},
): KeyedLimiter<L> {
  const owner = 'keyed';
  checkType(owner, 'factory', factory, 'function');
  checkKnown(owner, options, KNOWN_KEYED_OPTIONS);
  if (options.name !== undefined) checkName(owner, options.name);
  if (options.maxKeys !== undefined) {
    checkNumber(owner, 'maxKeys', options.maxKeys, { min: 1, max: 2 ** 30, integer: true });
  }
  if (options.idleMs !== undefined) checkNumber(owner, 'idleMs', options.idleMs, { min: 0 });
  if (options.clock !== undefined) checkClock(owner, options.clock);
  return new Keyed(factory, options);
}

import {
  CallContext,
  type ExecuteOptions,
  type ExecutionContext,
  type Executor,
  enterCall,
  notify,
  type Operation,
  type Policy,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { BoundedMap } from '../bounded-map.ts';
import { ask } from '../predicate.ts';
import {
  ATTR_CACHE_AGE,
  CACHE_OUTCOMES,
  type CacheOutcome,
  METRIC_CACHE_CALLS,
  METRIC_CACHE_EVICTIONS,
  METRIC_CACHE_KEYS,
} from '../semconv.ts';
import {
  answersFor,
  cell,
  endSpan,
  live,
  observe,
  onListenerError,
  openSpan,
  outcomeCells,
  policyAttributes,
} from '../telemetry.ts';
import { Flight } from './flight.ts';
import { type CachedOptions, type ResolvedCachedOptions, resolveCachedOptions } from './options.ts';

/** An answer, and how old it is. */
export interface Answer<T> {
  readonly value: T;
  /**
   * `call`: just made; `shared`: just made for another caller; `fresh`: from memory, young enough;
   * `stale`: from memory, as the call failed.
   */
  readonly source: 'call' | 'shared' | 'fresh' | 'stale';
  /** How long ago the answer was given, in milliseconds; 0 when it was just made. */
  readonly ageMs: number;
  /** What the call failed with, where the answer is stale. */
  readonly error?: unknown;
}

/** What a cache has done since it was made. */
export interface CachedStats {
  readonly calls: Readonly<Record<CacheOutcome, number>>;
  /** Answers in memory. */
  readonly keys: number;
  /** Answers forgotten as there were too many keys. */
  readonly evictions: number;
}

/** A memory of the last good answers. */
export interface CachedPolicy extends Policy {
  /** As {@link execute}, and tells where the answer came from and how old it is. */
  answer<T>(
    operation: Operation<T>,
    options?: (ExecuteOptions & { readonly key?: string }) | ExecutionContext,
  ): Promise<Answer<T>>;
  /** The same policy with the key given, for use by hand or in a pipeline. */
  forKey(key: string): Executor;
  /** Forgets one answer, or all. */
  forget(key?: string): void;
  stats(): CachedStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

interface Entry {
  readonly value: unknown;
  readonly at: number;
}

class Cached extends PolicyBase implements CachedPolicy {
  readonly #options: ResolvedCachedOptions;
  readonly #entries: BoundedMap<string, Entry>;
  readonly #flights = new Map<string, Flight<unknown>>();
  readonly #cells: ReturnType<typeof outcomeCells<CacheOutcome>>;
  readonly #calls: Record<CacheOutcome, number> = {
    success: 0,
    hit: 0,
    stale: 0,
    shared: 0,
    failure: 0,
  };
  #evictions = 0;
  readonly #gauge: Disposable;

  constructor(options: ResolvedCachedOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#cells = outcomeCells(METRIC_CACHE_CALLS, options.name, CACHE_OUTCOMES);
    const evicted = cell(METRIC_CACHE_EVICTIONS, options.name);
    this.#entries = new BoundedMap(options.maxKeys, () => {
      this.#evictions++;
      evicted.value++;
    });
    this.#gauge = observe<Cached>(this, (owner, emit) => {
      emit(METRIC_CACHE_KEYS, policyAttributes(owner.name), owner.#entries.size);
    });
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return (await this.#answer(operation, context, undefined)).value;
  }

  async answer<T>(
    operation: Operation<T>,
    options: (ExecuteOptions & { readonly key?: string }) | ExecutionContext = {},
  ): Promise<Answer<T>> {
    const { key } = options as { key?: string };
    let answer: Answer<unknown> | undefined;
    const tell = {
      runInCall: async <U>(inner: Operation<U>, context: CallContext): Promise<U> => {
        const told = await this.#answer(inner, context, key);
        answer = told;
        return told.value;
      },
    };
    await enterCall(tell, operation, options, this.clock);
    return answer as Answer<T>;
  }

  forKey(key: string): Executor {
    const join = {
      runInCall: async <T>(operation: Operation<T>, context: CallContext): Promise<T> =>
        (await this.#answer(operation, context, key)).value,
      execute: <T>(
        operation: Operation<T>,
        options?: ExecuteOptions | ExecutionContext,
      ): Promise<T> => enterCall(join, operation, options ?? new CallContext(), this.clock),
      describe: () => this.describe(),
      name: this.name,
    };
    return join;
  }

  forget(key?: string): void {
    if (key === undefined) this.#entries.clear();
    else this.#entries.delete(key);
  }

  async #answer<T>(
    operation: Operation<T>,
    context: CallContext,
    given: string | undefined,
  ): Promise<Answer<T>> {
    const key = given ?? this.#options.key(context);
    const fresh = this.#fresh<T>(key);
    if (fresh !== undefined) return fresh;
    let source: 'call' | 'shared' = 'call';
    try {
      let value: T;
      if (this.#options.singleFlight) {
        const under = this.#flights.get(key) as Flight<T> | undefined;
        if (under !== undefined) source = 'shared';
        value = await (under ?? this.#takeOff(key, operation, context)).join(context);
      } else {
        value = await this.#ask(key, operation, context);
      }
      if (this.#isFailure(value)) {
        const stale = context.aborted ? undefined : this.#stale<T>(key, value, context);
        this.#count(stale === undefined ? 'failure' : 'stale');
        return stale ?? { value, source, ageMs: 0 };
      }
      this.#count(source === 'call' ? 'success' : 'shared');
      return { value, source, ageMs: 0 };
    } catch (error) {
      const { isServable } = this.#options;
      const servable = !context.aborted && (isServable === undefined || ask(isServable, error));
      const stale = servable ? this.#stale<T>(key, error, context) : undefined;
      this.#count(stale === undefined ? 'failure' : 'stale');
      if (stale === undefined) throw error;
      return stale;
    }
  }

  #takeOff<T>(key: string, operation: Operation<T>, context: CallContext): Flight<T> {
    const land = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    const landing: Operation<T> = async (inner) => {
      try {
        return await this.#ask(key, operation, inner);
      } finally {
        land();
      }
    };
    const flight: Flight<T> = new Flight(landing, context, land);
    this.#flights.set(key, flight);
    return flight;
  }

  #fresh<T>(key: string): Answer<T> | undefined {
    const { freshMs } = this.#options;
    if (freshMs <= 0) return undefined;
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.clock.monotonic() - entry.at;
    if (ageMs >= freshMs) return undefined;
    this.#count('hit');
    return { value: entry.value as T, source: 'fresh', ageMs };
  }

  #stale<T>(key: string, error: unknown, context: CallContext): Answer<T> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.clock.monotonic() - entry.at;
    if (ageMs > this.#options.maxAgeMs) {
      this.#entries.delete(key);
      return undefined;
    }
    const { operation } = context;
    const event = { policy: this.name, key, ageMs, error, operation };
    notify(this.#options.onStale, event, onListenerError);
    if (live.traces && this.#options.spans !== 'none') {
      const now = this.clock.now();
      const attributes = { ...answersFor(error), [ATTR_CACHE_AGE.name]: ageMs / 1000 };
      endSpan(openSpan(`cache ${this.name}`, this.name, context, now, attributes), now);
    }
    return { value: entry.value as T, source: 'stale', ageMs, error };
  }

  /** Makes the call, and keeps its answer if it is a good one. */
  async #ask<T>(key: string, operation: Operation<T>, context: ExecutionContext): Promise<T> {
    const value = await operation(context);
    const { isCacheable } = this.#options;
    if (!this.#isFailure(value) && (isCacheable === undefined || ask(isCacheable, value))) {
      this.#entries.set(key, { value, at: this.clock.monotonic() });
    }
    return value;
  }

  #isFailure(value: unknown): boolean {
    const { isFailure } = this.#options;
    return isFailure !== undefined && ask(isFailure, value);
  }

  #count(outcome: CacheOutcome): void {
    this.#calls[outcome]++;
    this.#cells[outcome].value++;
  }

  override describe(): PolicyDescription {
    return { kind: 'cached' };
  }

  stats(): CachedStats {
    return {
      calls: { ...this.#calls },
      keys: this.#entries.size,
      evictions: this.#evictions,
    };
  }

  [Symbol.dispose](): void {
    this.#gauge[Symbol.dispose]();
  }
}

/**
 * Makes a policy that remembers the last good answers and serves one when a call fails, for as long
 * as it is not too old. Memory is bounded, and holds the answers themselves, not copies.
 *
 * @throws {TypeError | RangeError} at construction, when an option is unknown or out of range
 */
export function cached(options: CachedOptions = {}): CachedPolicy {
  return new Cached(resolveCachedOptions(options));
}

import {
  type CallContext,
  type CallOptions,
  isFailure,
  type Operation,
  type Outcome,
  type Policy,
} from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  ask,
  type Call,
  type CallObservation,
  decide,
  discardBody,
  enterCall,
  failureType,
  isIteration,
  Listeners,
  notify,
  PolicyBase,
  type PolicyDescription,
  share,
  show,
} from '@temper/core/policy';
import { BoundedMap } from '../bounded-map.ts';
import { CallsItselfError } from '../errors.ts';
import { runWithReserve } from '../reserve.ts';
import { ATTR_CACHE_AGE, type CacheOutcome } from '../semconv.ts';
import { Flight } from './flight.ts';
import {
  type CachedOptions,
  type ResolvedCachedOptions,
  resolveCachedOptions,
  type StaleEvent,
} from './options.ts';
import { type Generation, Runs } from './runs.ts';
import { CacheObserver, workSpan } from './telemetry.ts';

/** An answer, its origin and its age. */
export interface Answer<T> {
  readonly value: T;
  /**
   * `call`: by the operation, for this call; `shared`: by the operation, for a concurrent call; `fresh`:
   * from the cache, young enough; `stale`: from the cache, because the operation failed.
   */
  readonly source: 'call' | 'shared' | 'fresh' | 'stale';
  /** Time since the operation gave the answer, in milliseconds. */
  readonly ageMs: number;
  /** What the operation failed with, when the answer is stale. */
  readonly failure?: Outcome<unknown>;
}

/** What a cache has done since it was created. */
export interface CachedStats {
  readonly calls: Readonly<Record<CacheOutcome, number>>;
  /** Answers in the cache. */
  readonly keys: number;
  /** Answers removed to make room for others. */
  readonly evictions: number;
}

/** A cache of last good answers. Every call needs a key; see {@link CachedOptions.key}. */
export interface CachedPolicy extends Policy {
  /** As {@link Policy.execute}, and tells where the answer came from and how old it is. */
  answer<T>(operation: Operation<T>, options?: CallOptions): Promise<Answer<T>>;
  /**
   * Forgets the answer of this key. What runs at this moment still answers its own callers, but is
   * neither kept nor shared with later ones.
   *
   * @throws {TypeError} unless `key` is a non-empty string
   */
  forget(key: string): void;
  /** As {@link CachedPolicy.forget}, for all keys. */
  clear(): void;
  /** Adds a listener as the option `onStale`; disposing of the result removes it. */
  onStale(listener: (event: StaleEvent, call: CallContext) => unknown): Disposable;
  stats(): CachedStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

interface Entry {
  readonly value: unknown;
  /** When it was kept, on the monotonic scale in milliseconds. */
  readonly at: number;
}

class Cached extends PolicyBase implements CachedPolicy {
  readonly #options: ResolvedCachedOptions;
  readonly #entries: BoundedMap<string, Entry>;
  readonly #runs = new Runs();
  readonly #observer: CacheObserver;
  readonly #listeners: Listeners<StaleEvent, [CallContext]>;

  constructor(options: ResolvedCachedOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#observer = new CacheObserver(this, options);
    this.#listeners = new Listeners(options.name, 'onStale', options.onStale);
    const { removed } = this.#observer;
    this.#entries = new BoundedMap(options.maxKeys, () => void removed.evictions++);
  }

  /** Answers in the cache. */
  get size(): number {
    return this.#entries.size;
  }

  onStale(listener: (event: StaleEvent, call: CallContext) => unknown): Disposable {
    return this.#listeners.add(listener);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { value, failure } = await this.#answer(operation, call);
    // Nobody gets what the old answer replaces, unless a listener has read it.
    if (failure !== undefined) discardBody(failure.ok ? failure.value : failure.error);
    return value;
  }

  async answer<T>(operation: Operation<T>, options?: CallOptions): Promise<Answer<T>> {
    let answer: Answer<unknown> | undefined;
    const observing = {
      runInCall: async <U>(inner: Operation<U>, call: Call): Promise<U> => {
        const given = await this.#answer(inner, call);
        answer = given;
        return given.value;
      },
    };
    const value = await enterCall(observing, operation, options, this.name, this.clock);
    // Without one, it is a generator, which is called with its first `next()`.
    return (answer ?? { value, source: 'call', ageMs: 0 }) as Answer<T>;
  }

  forget(key: string): void {
    if (typeof key !== 'string' || key === '') {
      throw new TypeError(
        `Cache '${this.name}': forget(key) needs a non-empty string, got ${show(key)}; clear() forgets all answers.`,
      );
    }
    this.#entries.delete(key);
    this.#runs.forget(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#runs.clear();
  }

  async #answer<T>(operation: Operation<T>, call: Call): Promise<Answer<T>> {
    const key = this.#keyOf(call);
    const observed = this.#observer.spans.begin(call);
    if (isIteration(call)) return this.#passOn(operation, call, observed);
    const fresh = this.#fresh<T>(key);
    if (fresh !== undefined) {
      call.noteTiming('unknown');
      this.#end('hit', observed);
      return fresh;
    }
    const running = this.#options.singleFlight ? this.#runs.peek(key) : undefined;
    if (running?.flight?.wouldWaitFor(call)) {
      this.#end('failure', observed);
      throw new CallsItselfError(this.name);
    }
    const shared = running?.flight !== undefined;
    const source = shared ? 'shared' : 'call';
    if (shared) {
      call.noteTiming('unknown'); // a part of the time of the run
      if (running.work !== undefined) observed?.link(running.work);
    }
    let outcome: Outcome<T>;
    try {
      const run = (): Promise<T> => this.#runInTime(key, operation, call);
      const value = await (observed === undefined ? run() : observed.run(run));
      outcome = { ok: true, value };
      if (!this.#handlesValue(outcome, call)) {
        this.#end(shared ? 'shared' : 'success', observed);
        return { value, source, ageMs: 0 };
      }
    } catch (error) {
      outcome = { ok: false, error };
    }
    const ended = call.aborted;
    const stale = this.#mayServe(outcome, call) ? this.#stale<T>(key, outcome, call) : undefined;
    if (!ended && call.aborted) {
      // The predicate or a listener has ended the call.
      this.#end(call.cancelled ? 'aborted' : 'failure', observed);
      throw call.reason;
    }
    if (stale !== undefined) {
      call.noteTiming('unknown');
      observed?.span()?.set({
        [ATTR_CACHE_AGE.name]: stale.ageMs / 1000,
        [ATTR_ERROR_TYPE.name]: failureType(outcome),
      });
      this.#end('stale', observed);
      return stale;
    }
    this.#end(call.cancelled ? 'aborted' : 'failure', observed);
    if (outcome.ok) return { value: outcome.value, source, ageMs: 0 };
    throw outcome.error;
  }

  /** An iteration has items and no answer: it is neither kept nor shared, and no old answer stands for it. */
  async #passOn<T>(
    operation: Operation<T>,
    call: Call,
    observed: CallObservation<CacheOutcome> | undefined,
  ): Promise<Answer<T>> {
    try {
      const value = await (observed === undefined
        ? operation(call)
        : observed.run(() => operation(call)));
      this.#end('success', observed);
      return { value, source: 'call', ageMs: 0 };
    } catch (error) {
      this.#end(call.cancelled ? 'aborted' : 'failure', observed);
      throw error;
    }
  }

  /** What the answer of a call belongs to. Anything but its key would mix the answers of callers. */
  #keyOf(call: Call): string {
    const { key: keyOption } = this.#options;
    const key: unknown = keyOption === undefined ? call.key : keyOption(call);
    if (typeof key === 'string' && key !== '') return key;
    notify(this.name, 'key', () => key); // logs the rejection of a promise
    const given = keyOption === undefined ? '' : `; the option key returned ${show(key)}`;
    throw new TypeError(
      `Cache '${this.name}' needs a key for each call${given}: pass { key } to execute, use wrap(fn, (...args) => ({ key })), or set the option key.`,
    );
  }

  #fresh<T>(key: string): Answer<T> | undefined {
    const { freshMs } = this.#options;
    if (freshMs <= 0) return undefined;
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.clock.monotonic() - entry.at;
    return ageMs < freshMs ? { value: entry.value as T, source: 'fresh', ageMs } : undefined;
  }

  /** Runs the operation until an old answer must be served, if there is one. */
  #runInTime<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    const { reserveMs, clock } = this.#options;
    if (reserveMs === undefined) return this.#join(key, operation, call);
    const hasAnswer = (): boolean => {
      const entry = this.#entries.peek(key);
      return entry !== undefined && clock.monotonic() - entry.at <= this.#options.maxAgeMs;
    };
    const join: Operation<T> = (own) => this.#join(key, operation, own as Call);
    return runWithReserve(join, call, { reserveMs, clock, hasAnswer });
  }

  /** Runs the operation, or waits for the run of a concurrent call. */
  #join<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    const generation = this.#runs.of(key);
    if (!this.#options.singleFlight) return this.#run(key, generation, operation, call);
    const running = generation.flight as Flight<T> | undefined;
    if (running !== undefined) return running.join(call);
    const close = (): void => {
      if (generation.flight === flight) generation.flight = undefined;
    };
    const landing: Operation<T> = async (own) => {
      try {
        return await this.#run(key, generation, operation, own as Call);
      } finally {
        close();
      }
    };
    const flight = new Flight<T>(call, close);
    generation.flight = flight;
    const joined = flight.join(call);
    void flight.start(landing);
    return joined;
  }

  /** Runs the operation, and keeps its answer if it is a good one and the latest. */
  async #run<T>(
    key: string,
    generation: Generation,
    operation: Operation<T>,
    call: Call,
  ): Promise<T> {
    const run = this.#runs.start(generation);
    if (this.#options.singleFlight) generation.work = workSpan();
    try {
      const value = await operation(call);
      const keeps = this.#isWorthKeeping(value, call) && this.#runs.mayKeep(generation, run);
      if (keeps) {
        this.#entries.set(key, { value, at: this.clock.monotonic() });
        share(value);
      }
      return value;
    } finally {
      this.#runs.end(key, generation);
    }
  }

  #isWorthKeeping(value: unknown, call: Call): boolean {
    const { isCacheable } = this.#options;
    if (this.#handlesValue({ ok: true, value }, call)) return false;
    return isCacheable === undefined || ask(this.name, 'isCacheable', isCacheable, value);
  }

  /** By default values are not failures; only a predicate of the user's can say otherwise. */
  #handlesValue(outcome: Outcome<unknown>, call: Call): boolean {
    const { shouldHandle } = this.#options;
    return shouldHandle !== undefined && decide(this.name, shouldHandle, outcome, call);
  }

  /** Whether an old answer may be served. Nobody would get the answer to a call that has ended. */
  #mayServe(outcome: Outcome<unknown>, call: Call): boolean {
    if (call.aborted) return false;
    if (outcome.ok) return true; // a value that counts as a failure
    const { shouldHandle } = this.#options;
    return shouldHandle === undefined
      ? isFailure(outcome)
      : decide(this.name, shouldHandle, outcome, call);
  }

  #stale<T>(key: string, failure: Outcome<unknown>, call: Call): Answer<T> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.clock.monotonic() - entry.at;
    if (ageMs > this.#options.maxAgeMs) {
      this.#entries.delete(key);
      return undefined;
    }
    if (!this.#listeners.empty) {
      const { operation } = call;
      const event = { policy: this.name, key, ageMs, outcome: failure, operation };
      this.#listeners.emit(event, call);
    }
    return { value: entry.value as T, source: 'stale', ageMs, failure };
  }

  #end(outcome: CacheOutcome, observed: CallObservation<CacheOutcome> | undefined): void {
    this.#observer.calls[outcome]++;
    observed?.end(outcome);
  }

  override describe(): PolicyDescription {
    const { reserveMs, singleFlight } = this.#options;
    return { kind: 'cached', maxReserveMs: reserveMs, sharesRuns: singleFlight };
  }

  stats(): CachedStats {
    const { calls, removed } = this.#observer;
    return { calls: { ...calls }, keys: this.size, evictions: removed.evictions };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/**
 * Creates a policy that keeps the last good answers, and serves one when the operation fails, as long
 * as it is not too old. An answer is served only to calls with the same key. The number of answers is
 * bounded; they are kept themselves, not as copies.
 *
 * ```ts
 * const users = cached({ name: 'users', freshMs: 60_000 });
 * const findUser = users.wrap(loadUser, (id: string) => ({ key: id }));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function cached(options: CachedOptions = {}): CachedPolicy {
  return new Cached(resolveCachedOptions(options));
}

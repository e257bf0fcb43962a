import type { ManualClock } from '../manual-clock.ts';
import type { Distribution } from './chance.ts';

/** What a policy or pipeline is given to be made with. */
export interface SimulatedWorld {
  /** Virtual time: the option `clock` of every policy. */
  readonly clock: ManualClock;
  /** Chance that repeats: the option `random` of every policy. */
  readonly random: () => number;
  readonly seed: number;
}

/** Options that the callers give to a call. Those of a Temper policy. */
export interface SimulatedCallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly key?: string;
  readonly cost?: number;
  readonly priority?: 'sheddable' | 'sheddable-plus' | 'critical' | 'critical-plus';
}

/** What is simulated: a policy or pipeline of Temper, or anything with such a method. */
export interface SimulatedExecutor {
  execute<T>(
    operation: (call: { readonly signal: AbortSignal }) => T | PromiseLike<T>,
    options?: SimulatedCallOptions,
  ): Promise<T>;
}

/** Who calls, and how often. */
export interface CallerOptions {
  /**
   * Mean number of calls per second, or a function of the time since the start in milliseconds. > 0.
   *
   * @defaultValue 20
   */
  readonly perSecond?: number | ((atMs: number) => number);
  /**
   * `'poisson'`: calls are independent of each other. `'even'`: one after the other at equal distances.
   *
   * @defaultValue `'poisson'`
   */
  readonly arrivals?: 'poisson' | 'even';
  /**
   * How long a caller waits, in milliseconds: the call option `timeoutMs`. A later answer does not count.
   *
   * @defaultValue 2000
   */
  readonly timeoutMs?: number;
  /**
   * Share of the calls that their caller aborts, at a moment drawn from its `timeoutMs`. From 0 to 1.
   *
   * @defaultValue 0
   */
  readonly abortShare?: number;
  /**
   * Further options of a call, by its number from 0: `key`, `cost`, `priority`.
   *
   * @defaultValue none
   */
  readonly options?: (
    call: number,
    random: () => number,
  ) => Omit<SimulatedCallOptions, 'signal' | 'timeoutMs'>;
  /**
   * An answer that is older than this when its call begins, as of a cache, does not count as one. In
   * milliseconds.
   *
   * @defaultValue 0
   */
  readonly freshMs?: number;
}

/** What is between the callers and the dependency. */
export interface NetworkOptions {
  /**
   * Mean time of a message in one direction, in milliseconds.
   *
   * @defaultValue 1
   */
  readonly latencyMs?: number;
  /**
   * How the times of messages are spread. Messages overtake each other by it.
   *
   * @defaultValue `steady`: 90 to 110 % of the mean
   */
  readonly distribution?: Distribution;
  /**
   * Share of the messages that are lost: their request is never answered. From 0 to 1.
   *
   * @defaultValue 0
   */
  readonly loss?: number;
  /**
   * Share of the requests that arrive twice. From 0 to 1.
   *
   * @defaultValue 0
   */
  readonly duplication?: number;
}

/** A server with so many workers and a queue before them. */
export interface DependencyOptions {
  /**
   * Requests that it works on at the same time.
   *
   * @defaultValue 8
   */
  readonly workers?: number;
  /**
   * Mean time of the work on one request, in milliseconds. It answers `1000 * workers / serviceMs` a second.
   *
   * @defaultValue 50
   */
  readonly serviceMs?: number;
  /**
   * How the times of requests are spread.
   *
   * @defaultValue `exponential`
   */
  readonly distribution?: Distribution;
  /**
   * Longest queue; what comes then is refused with a status of 503.
   *
   * @defaultValue 100
   */
  readonly maxQueue?: number;
  /**
   * Share of the requests that fail at all times, with a reset connection. From 0 to 1.
   *
   * @defaultValue 0
   */
  readonly errorRate?: number;
  /**
   * Whether requests in the queue whose caller has gone are dropped. Most servers work on them all the same.
   *
   * @defaultValue false
   */
  readonly dropsCancelled?: boolean;
}

/** What is wrong with the dependency during an outage. */
export type OutageKind =
  /** It fails after 5 ms: a reset connection, or the outage's `error`. */
  | 'error'
  /** It takes requests and answers none. */
  | 'hang'
  /** Its work takes `slowdown` times as long. */
  | 'slow'
  /** No message arrives, in either direction. */
  | 'partition';

/** A time in which the dependency is down. */
export interface OutageOptions {
  readonly kind: OutageKind;
  /** Its begin, in milliseconds since the start. */
  readonly startMs: number;
  /** Its length, in milliseconds. */
  readonly durationMs: number;
  /**
   * Share of the requests that it concerns. From 0 to 1.
   *
   * @defaultValue 1
   */
  readonly share?: number;
  /**
   * Factor of the time of the work, for `'slow'`.
   *
   * @defaultValue 40
   */
  readonly slowdown?: number;
  /**
   * Makes what requests fail with, for `'error'`.
   *
   * @defaultValue an error with the code `ECONNRESET`
   */
  readonly error?: () => unknown;
}

/** Something else that happens: a step of the wall clock, a restart, a change of an option. */
export interface SimulatedEvent {
  /** When it happens, in milliseconds since the start. */
  readonly atMs: number;
  readonly run: (world: SimulatedWorld) => unknown;
}

/** Settings of {@link simulate}. Times are virtual. */
export interface SimulationOptions {
  /** Makes what is simulated, from virtual time and chance that repeats. */
  readonly pipeline: (world: SimulatedWorld) => SimulatedExecutor;
  readonly callers?: CallerOptions;
  readonly network?: NetworkOptions;
  readonly dependency?: DependencyOptions;
  /** One outage or several. None by default. */
  readonly outage?: OutageOptions | readonly OutageOptions[];
  readonly events?: readonly SimulatedEvent[];
  /**
   * Share of the operations that return a thenable of a careless library in place of a promise. From 0 to 1.
   *
   * @defaultValue 0
   */
  readonly foreignPromises?: number;
  /**
   * How long calls are made, in milliseconds. > 0.
   *
   * @defaultValue until 60 s after the last outage, 60 s without one
   */
  readonly durationMs?: number;
  /**
   * An integer. Equal options with equal seeds give equal traces.
   *
   * @defaultValue 1
   */
  readonly seed?: number;
  /**
   * Observes each call of the operation, at the moment of that call.
   *
   * @defaultValue none
   */
  readonly onOperation?: (call: number) => void;
}

import { type Clock, type SpanMode, systemClock, type TelemetryScope } from '@temper/core';
import {
  clockRule,
  DEFAULT_SPANS,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  SPAN_MODES,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';
import { type QueueOrder, queueRule } from './queue-order.ts';

/** Options of every limiter. */
export interface QueueOptions {
  /**
   * Names the limiter in errors, spans and metrics. Limiters of one name share their series.
   *
   * @defaultValue the kind of limiter, such as `token-bucket`
   */
  readonly name?: string;
  /**
   * How many calls may wait at the same time; one more is refused at once. 0 turns waiting off.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 0 (`Infinity` allowed)
   */
  readonly maxQueue?: number;
  /**
   * Longest wait for a turn, in milliseconds. A call whose turn cannot come by then is refused at
   * once. A call's own deadline holds too.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly maxWaitMs?: number;
  /**
   * Called with each refusal of `acquire`, `execute` and wrapped functions. What it throws is logged.
   *
   * @defaultValue none
   */
  readonly onReject?: (error: RateLimitExceededError) => void;
  /**
   * Which waits and refusals get spans: all, refusals only, or none. Calls that pass at once have none.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
  /**
   * Where the telemetry of the policy goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /**
   * In which order calls that wait are served. With `fairQueue()` the `key` of a call names its caller,
   * and each caller gets the same share; a shared limiter then has one limit for all keys together. Calls
   * without a key are one caller. With `priorityQueue()` calls are served by priority. Without effect in a keyed limiter, where a key is a limit of its own.
   *
   * @defaultValue in order of arrival
   */
  readonly queue?: QueueOrder;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The options without a default. */
export type QueueUnset = 'telemetry' | 'onReject' | 'queue';

/** Options that were checked, with their defaults filled in. */
export type ResolvedQueueOptions = Resolved<QueueOptions, QueueUnset>;

/** The defaults of {@link QueueOptions}, apart from the name. */
export const QUEUE_DEFAULTS: Omit<Required<QueueOptions>, 'name' | QueueUnset> = {
  maxQueue: 1000,
  maxWaitMs: Number.POSITIVE_INFINITY,
  spans: DEFAULT_SPANS,
  clock: systemClock,
};

/** The rules of {@link QueueOptions}. */
export const QUEUE_RULES: { readonly [K in keyof Required<QueueOptions>]: OptionRule } = {
  name: nameRule,
  maxQueue: numberRule({ min: 0, integer: true }),
  maxWaitMs: numberRule({ min: 0 }),
  onReject: typeRule('function'),
  spans: oneOfRule(SPAN_MODES),
  telemetry: telemetryRule,
  queue: queueRule,
  clock: clockRule,
};

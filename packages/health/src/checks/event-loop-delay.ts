import { monitorEventLoopDelay } from 'node:perf_hooks';
import { numberRule } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  thresholdRule,
} from './built-in.ts';

/** Options of {@link eventLoopDelayCheck}. */
export interface EventLoopDelayCheckOptions extends BuiltInCheckOptions {
  /**
   * Delay from which the check is degraded, in milliseconds.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degradedMs?: number;
  /**
   * Delay from which the check is unhealthy, in milliseconds.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless >= `degradedMs`
   */
  readonly unhealthyMs?: number;
  /**
   * Percentile of the delay that is compared; 100 is the maximum.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless > 0 and <= 100
   */
  readonly percentile?: number;
  /**
   * Sampling interval, in milliseconds.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer from 1 to 1000
   */
  readonly resolutionMs?: number;
}

const OWNER = 'eventLoopDelayCheck';

/**
 * Checks the delay of the event loop with `perf_hooks.monitorEventLoopDelay`. Sampling begins with the
 * first probe. Each probe covers the two preceding intervals, so that a stall appears in two probes and
 * is never missed.
 *
 * Not meant for liveness: a stall that is over is no reason to restart, and during a stall nothing
 * answers. `livenessWatchdog` of `@temper/health/watchdog` answers from a thread of its own.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function eventLoopDelayCheck(options: EventLoopDelayCheckOptions = {}): HealthCheck {
  const { degradedMs, unhealthyMs, percentile, resolutionMs, ...common } =
    resolveCheckOptions<EventLoopDelayCheckOptions>(
      OWNER,
      options,
      { degradedMs: 100, unhealthyMs: 1000, percentile: 100, resolutionMs: 10 },
      {
        degradedMs: thresholdRule,
        unhealthyMs: thresholdRule,
        percentile: numberRule({ min: 0, aboveMin: true, max: 100 }),
        resolutionMs: numberRule({ min: 1, max: 1000, integer: true }),
      },
    );
  checkOrder(OWNER, 'unhealthyMs', degradedMs, unhealthyMs);
  let sampler: DelaySampler | undefined;
  return {
    name: 'event_loop_delay',
    groups: ['readiness'],
    componentType: 'system',
    check: () => {
      if (sampler === undefined) {
        sampler = new DelaySampler(resolutionMs);
        return { message: 'sampling started' };
      }
      const delayMs = sampler.read(percentile);
      return {
        status: judge(delayMs, degradedMs, unhealthyMs),
        message: `event loop delay was ${Math.round(delayMs)} ms`,
        observed: { name: 'delay', value: delayMs, unit: 'ms' },
      };
    },
    dispose: () => {
      sampler?.stop();
      sampler = undefined;
    },
    ...common,
  };
}

type Sampled = ReturnType<typeof monitorEventLoopDelay>;

/**
 * Two histograms that are read and reset alternately. After a reset a histogram misses the current
 * interval, because Node starts to measure at its next tick; the other histogram covers it.
 */
class DelaySampler {
  readonly #resolution: number;
  readonly #histograms: readonly [Sampled, Sampled];
  #turn: 0 | 1 = 0;

  constructor(resolution: number) {
    this.#resolution = resolution;
    this.#histograms = [
      monitorEventLoopDelay({ resolution }),
      monitorEventLoopDelay({ resolution }),
    ];
    for (const histogram of this.#histograms) histogram.enable();
  }

  /** Delay of ticks in milliseconds since the reading before the last one. */
  read(percentile: number): number {
    const histogram = this.#histograms[this.#turn];
    const nanoseconds =
      histogram.count === 0
        ? 0
        : percentile === 100
          ? histogram.max
          : histogram.percentile(percentile);
    const other = this.#turn === 0 ? 1 : 0;
    // Two probes in quick succession must not leave both histograms empty.
    if (this.#histograms[other].count > 0) {
      histogram.reset();
      this.#turn = other;
    }
    return Math.max(0, nanoseconds / 1e6 - this.#resolution);
  }

  stop(): void {
    for (const histogram of this.#histograms) histogram.disable();
  }
}

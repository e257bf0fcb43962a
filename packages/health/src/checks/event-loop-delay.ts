import { monitorEventLoopDelay } from 'node:perf_hooks';
import { checkNumber } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';

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
 * is never missed. The default groups are `liveness` and `readiness`, because a restart repairs an
 * event loop that is blocked permanently.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function eventLoopDelayCheck(options: EventLoopDelayCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy } = checkLimits(
    OWNER,
    { degraded: 'degradedMs', unhealthy: 'unhealthyMs' },
    { degraded: options.degradedMs ?? 100, unhealthy: options.unhealthyMs ?? 1000 },
  );
  const percentile = checkNumber(OWNER, 'percentile', options.percentile ?? 100, {
    min: 0,
    aboveMin: true,
    max: 100,
  });
  const resolution = checkNumber(OWNER, 'resolutionMs', options.resolutionMs ?? 10, {
    min: 1,
    max: 1000,
    integer: true,
  });
  let sampler: DelaySampler | undefined;
  return builtIn(OWNER, options, ['degradedMs', 'unhealthyMs', 'percentile', 'resolutionMs'], {
    name: 'event_loop_delay',
    groups: ['liveness', 'readiness'],
    componentType: 'system',
    check: () => {
      if (sampler === undefined) {
        sampler = new DelaySampler(resolution);
        return { message: 'sampling started' };
      }
      const delayMs = sampler.read(percentile);
      return {
        status: judge(delayMs, degraded, unhealthy),
        message: `event loop delay was ${Math.round(delayMs)} ms`,
        observed: { name: 'delay', value: delayMs, unit: 'ms' },
      };
    },
    dispose: () => {
      sampler?.stop();
      sampler = undefined;
    },
  });
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

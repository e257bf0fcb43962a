import { monitorEventLoopDelay } from 'node:perf_hooks';
import { checkNumber } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';

/** Options of {@link eventLoopDelayCheck}. */
export interface EventLoopDelayCheckOptions extends BuiltInCheckOptions {
  /**
   * Delay from which on the loop is slow, in milliseconds.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degradedMs?: number;
  /**
   * Delay from which on the loop is stuck, in milliseconds.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless >= `degradedMs`
   */
  readonly unhealthyMs?: number;
  /**
   * Which delay is looked at: 99 leaves out the worst hundredth, 100 is the longest.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless > 0 and <= 100
   */
  readonly percentile?: number;
  /**
   * How often the loop is sampled, in milliseconds.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer from 1 to 1000
   */
  readonly resolutionMs?: number;
}

const OWNER = 'eventLoopDelayCheck';

/**
 * How late the event loop is, by `perf_hooks.monitorEventLoopDelay`. Sampling begins with the first
 * probe. Each probe looks back over the two intervals before it, so a stall shows twice and never
 * falls in between. In the groups `liveness` and `readiness` unless told otherwise: a loop that is
 * stuck for good is what a restart mends.
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
        return { message: 'sampling has begun' };
      }
      const delayMs = sampler.read(percentile);
      return {
        status: judge(delayMs, degraded, unhealthy),
        message: `the event loop was ${Math.round(delayMs)} ms late`,
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
 * Two histograms, read and emptied in turn. One that has just been emptied misses the interval under
 * way (Node starts to measure at its next tick); the other one saw it.
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

  /** Milliseconds by which ticks came late, since the reading before the last. */
  read(percentile: number): number {
    const histogram = this.#histograms[this.#turn];
    const nanoseconds =
      histogram.count === 0
        ? 0
        : percentile === 100
          ? histogram.max
          : histogram.percentile(percentile);
    const other = this.#turn === 0 ? 1 : 0;
    // Two probes in quick succession must not leave both of them waiting for a tick.
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

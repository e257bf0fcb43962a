import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Bracket } from '../../test/bounds.ts';
import { type HealthMonitor, healthMonitor } from '../monitor.ts';
import { eventLoopDelayCheck } from './event-loop-delay.ts';
import { eventLoopUtilizationCheck } from './event-loop-utilization.ts';

/** Blocks the event loop. @returns for how long, in milliseconds, which a busy machine prolongs */
function stall(ms: number): number {
  const began = performance.now();
  while (performance.now() - began < ms);
  return performance.now() - began;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});
function monitorOf(...checks: Parameters<HealthMonitor['register']>[0][]): HealthMonitor {
  const monitor = healthMonitor({ ttlMs: 0, checks });
  cleanups.push(() => monitor[Symbol.dispose]());
  return monitor;
}

const observed = async (monitor: HealthMonitor) => {
  const { checks } = await monitor.check();
  return { status: checks[0]?.status, value: checks[0]?.observed?.value as number };
};

/** Interval of the samples, in milliseconds. */
const RESOLUTION_MS = 10;

/**
 * A sampler of the test's own: whatever else delays the event loop, it delays both. Their samples are due at
 * different times, so that one of them may see up to an interval more of a delay.
 */
class Control {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
    cleanups.push(() => this.#histogram.disable());
  }

  /** Longest delay since the construction or the last reset, in milliseconds. */
  max(): number {
    return Math.max(0, this.#histogram.max / 1e6 - RESOLUTION_MS);
  }

  percentile(percentile: number): number {
    return Math.max(0, this.#histogram.percentile(percentile) / 1e6 - RESOLUTION_MS);
  }

  reset(): void {
    this.#histogram.reset();
  }
}

/** The least delay that a sample shows after a stall: it was due up to one interval after its beginning. */
const shownAfter = (stalledMs: number): number => stalledMs - 2 * RESOLUTION_MS;

describe('event-loop delay', () => {
  it('reports the delay of the event loop, and is degraded or unhealthy by it', async () => {
    const monitor = monitorOf(eventLoopDelayCheck({ degradedMs: 400, unhealthyMs: 1200 }));
    const control = new Control();
    expect((await monitor.check()).checks[0]?.message).toBe('sampling started');
    const judged = (value: number): string =>
      value < 400 ? 'healthy' : value < 1200 ? 'degraded' : 'unhealthy';
    for (const stallMs of [0, 700, 1500]) {
      await sleep(100);
      const stalledMs = stall(stallMs);
      await sleep(30);
      const { value, status } = await observed(monitor);
      expect(value).toBeGreaterThanOrEqual(shownAfter(stalledMs));
      expect(value).toBeLessThanOrEqual(control.max() + RESOLUTION_MS);
      expect(status).toBe(judged(value));
    }
  });

  it('detects a stall that begins in the same tick as a probe', async () => {
    const monitor = monitorOf(eventLoopDelayCheck({ degradedMs: 150 }));
    await monitor.check();
    await sleep(50);
    for (let round = 0; round < 3; round++) {
      await monitor.check();
      const stalledMs = stall(500);
      await sleep(30);
      expect((await observed(monitor)).value).toBeGreaterThanOrEqual(shownAfter(stalledMs));
    }
  });

  it('no longer reports a stall two probes later', async () => {
    const monitor = monitorOf(eventLoopDelayCheck({ degradedMs: 150 }));
    const control = new Control();
    await monitor.check();
    await sleep(30);
    const stalledMs = stall(1000);
    await sleep(30);
    expect((await observed(monitor)).value).toBeGreaterThanOrEqual(shownAfter(stalledMs));
    control.reset();
    await sleep(50);
    expect((await observed(monitor)).value).toBeGreaterThanOrEqual(shownAfter(stalledMs));
    await sleep(50);
    // What has delayed the loop since is the machine, and the control has seen it too.
    expect((await observed(monitor)).value).toBeLessThanOrEqual(control.max() + RESOLUTION_MS);
  });

  it('is in readiness by default and supports percentiles', async () => {
    const check = eventLoopDelayCheck({ percentile: 50, degradedMs: 400 });
    expect(check.groups).toEqual(['readiness']);
    const monitor = monitorOf(check);
    await monitor.check();
    const control = new Control();
    await sleep(200);
    const stalledMs = stall(1000);
    await sleep(200);
    const { value } = await observed(monitor);
    // Both sample about thirty times, and may differ in the first and the last.
    expect(value).toBeLessThan(stalledMs / 2);
    expect(value).toBeLessThanOrEqual(control.percentile(75) * 1.01 + 1);
    expect(value).toBeGreaterThanOrEqual(control.percentile(25) * 0.99 - 1);
  });
});

describe('event-loop utilization', () => {
  it('reports the utilization since the previous probe, and is degraded by it', async () => {
    // All of the time, so that any pause suffices to be healthy, on a busy machine too.
    const monitor = monitorOf(eventLoopUtilizationCheck({ degraded: 1, unhealthy: 2 }));
    const bracket = new Bracket();
    const probe = () => bracket.around(() => observed(monitor));
    await probe();
    await sleep(200);
    const idle = await probe();
    expect(idle.value.status).toBe('healthy');
    stall(100);
    const busy = await probe();
    expect(busy.value).toEqual({ status: 'degraded', value: 1 });
    for (const { value, loop } of [idle, busy]) {
      expect(value.value).toBeGreaterThanOrEqual(loop.min);
      expect(value.value).toBeLessThanOrEqual(loop.max);
    }
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type HealthMonitor, healthMonitor } from '../monitor.ts';
import { eventLoopDelayCheck } from './event-loop-delay.ts';
import { eventLoopUtilizationCheck } from './event-loop-utilization.ts';

/** Blocks the event loop. */
function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const monitors: HealthMonitor[] = [];
afterEach(() => {
  for (const monitor of monitors.splice(0)) monitor[Symbol.dispose]();
});
function monitorOf(...checks: Parameters<HealthMonitor['register']>[0][]): HealthMonitor {
  const monitor = healthMonitor({ ttlMs: 0, checks });
  monitors.push(monitor);
  return monitor;
}

const observed = async (monitor: HealthMonitor) => {
  const { checks } = await monitor.check();
  return { status: checks[0]?.status, value: checks[0]?.observed?.value as number };
};

describe('event-loop delay', () => {
  it('reports a small delay of an idle event loop and the duration of a real stall', async () => {
    const monitor = monitorOf(eventLoopDelayCheck({ degradedMs: 400, unhealthyMs: 1200 }));
    expect((await monitor.check()).checks[0]?.message).toBe('sampling started');
    await sleep(100);
    expect((await observed(monitor)).value).toBeLessThan(400);

    stall(700);
    await sleep(30);
    const degraded = await observed(monitor);
    expect(degraded.value).toBeGreaterThan(600);
    expect(degraded.status).toBe(degraded.value < 1200 ? 'degraded' : 'unhealthy');

    stall(1500);
    await sleep(30);
    const stuck = await observed(monitor);
    expect(stuck.value).toBeGreaterThan(1400);
    expect(stuck.status).toBe('unhealthy');
  });

  it('detects a stall that begins in the same tick as a probe', async () => {
    const monitor = monitorOf(eventLoopDelayCheck({ degradedMs: 150 }));
    await monitor.check();
    await sleep(50);
    for (let round = 0; round < 3; round++) {
      await monitor.check();
      stall(500);
      await sleep(30);
      expect((await observed(monitor)).value).toBeGreaterThan(400);
    }
  });

  it('no longer reports a stall two probes later', async () => {
    const monitor = monitorOf(eventLoopDelayCheck({ degradedMs: 150 }));
    await monitor.check();
    await sleep(30);
    stall(2000);
    await sleep(30);
    const seen: string[] = [];
    for (let round = 0; round < 3; round++) {
      // Only the stall takes that long; a busy machine delays the loop by less.
      seen.push((await observed(monitor)).value > 1800 ? 'late' : 'in time');
      await sleep(50);
    }
    expect(seen).toEqual(['late', 'late', 'in time']);
  });

  it('is in readiness by default and supports percentiles', async () => {
    const check = eventLoopDelayCheck({ percentile: 50, degradedMs: 400 });
    expect(check.groups).toEqual(['readiness']);
    const monitor = monitorOf(check);
    await monitor.check();
    await sleep(200);
    stall(300);
    await sleep(200);
    expect((await observed(monitor)).value).toBeLessThan(250);
  });
});

describe('event-loop utilization', () => {
  it('reports event loop utilization since the previous probe', async () => {
    const monitor = monitorOf(eventLoopUtilizationCheck({ degraded: 0.7, unhealthy: 2 }));
    await monitor.check();
    let idle: Awaited<ReturnType<typeof observed>>;
    // Other work on the machine also makes a loop look busy that has nothing to do.
    do {
      await sleep(200);
      idle = await observed(monitor);
    } while (idle.value >= 0.7);
    expect(idle.status).toBe('healthy');
    for (let turn = 0; turn < 10; turn++) {
      stall(20);
      await sleep(0);
    }
    const busy = await observed(monitor);
    expect(busy.value).toBeGreaterThan(0.7);
    expect(busy.status).toBe('degraded');
  });
});

import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processMetrics } from './process-metrics.ts';

describe('process metrics', () => {
  let telemetry: InMemoryTelemetry;

  beforeEach(() => {
    telemetry = new InMemoryTelemetry();
  });

  afterEach(() => telemetry.close());

  it('reports memory, CPU and event loop utilization until disposal', async () => {
    const metrics = processMetrics();
    await telemetry.metrics();
    const until = performance.now() + 60;
    while (performance.now() < until); // a busy event loop
    const resident = (await telemetry.value('process.memory.usage')) as number;
    expect(resident).toBeGreaterThan(10 * 2 ** 20);
    expect(resident).toBeLessThan(8 * 2 ** 30);
    const share = (await telemetry.value('process.memory.utilization')) as number;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
    metrics[Symbol.dispose]();
    const last = (await telemetry.value('process.memory.usage')) as number;
    const ballast = Buffer.alloc(64 * 2 ** 20, 1);
    // The SDK keeps exporting a series it has seen; it is no longer read.
    expect(await telemetry.value('process.memory.usage')).toBe(last);
    expect(process.memoryUsage.rss()).toBeGreaterThan(last + ballast.length / 2);
  });

  it('reports high utilization for a busy process and low utilization for an idle one', async () => {
    using _metrics = processMetrics();
    await telemetry.metrics();
    const until = performance.now() + 80;
    while (performance.now() < until);
    const busy = await telemetry.metrics();
    const level = (of: typeof busy, name: string): number =>
      of.get(name)?.dataPoints[0]?.value as number;
    let idle = busy;
    // Other work on the machine also makes a loop look busy that has nothing to do.
    while (level(idle, 'nodejs.eventloop.utilization') >= 0.5) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      idle = await telemetry.metrics();
    }
    expect(level(busy, 'nodejs.eventloop.utilization')).toBeGreaterThan(0.7);
    expect(level(idle, 'nodejs.eventloop.utilization')).toBeLessThan(0.5);
    expect(level(busy, 'process.cpu.utilization')).toBeGreaterThan(
      level(idle, 'process.cpu.utilization'),
    );
  });
});

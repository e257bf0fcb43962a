import { availableParallelism } from 'node:os';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bracket } from '../test/bounds.ts';
import { processMetrics } from './process-metrics.ts';

/** Blocks the event loop. */
function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('process metrics', () => {
  let telemetry: InMemoryTelemetry;

  beforeEach(() => {
    telemetry = new InMemoryTelemetry();
  });

  afterEach(() => telemetry.close());

  it('reports the memory of the process and its share of the limit until disposal', async () => {
    const metrics = processMetrics();
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
    expect(process.memoryUsage.rss()).not.toBe(last);
    expect(ballast[0]).toBe(1);
  });

  it('reports how busy event loop and processors were since the last collection', async () => {
    using _metrics = processMetrics();
    const bracket = new Bracket();
    const collect = async () => {
      const { value: metrics, ...bounds } = await bracket.around(() => telemetry.metrics());
      const level = (name: string): number => metrics.get(name)?.dataPoints[0]?.value as number;
      return {
        ...bounds,
        loopLevel: level('nodejs.eventloop.utilization'),
        cpuLevel: level('process.cpu.utilization') * availableParallelism(),
      };
    };
    await collect();
    stall(80);
    const busy = await collect();
    expect(busy.loopLevel).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 120));
    const idle = await collect();
    expect(idle.loopLevel).toBeLessThan(1);
    for (const { loop, loopLevel, cpu, cpuLevel } of [busy, idle]) {
      expect(loopLevel).toBeGreaterThanOrEqual(loop.min);
      expect(loopLevel).toBeLessThanOrEqual(loop.max);
      expect(cpuLevel).toBeGreaterThanOrEqual(cpu.min);
      expect(cpuLevel).toBeLessThanOrEqual(cpu.max);
    }
  });
});

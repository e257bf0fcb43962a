import { availableParallelism, totalmem } from 'node:os';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { type MetricDefinition, systemClock } from '@temper/core';
import { type CgroupPaths, cgroupMemoryLimit } from './checks/cgroup.ts';
import {
  METRIC_EVENT_LOOP_UTILIZATION,
  METRIC_PROCESS_CPU_UTILIZATION,
  METRIC_PROCESS_MEMORY,
  METRIC_PROCESS_MEMORY_UTILIZATION,
} from './process-semconv.ts';
import { observeProcess } from './telemetry.ts';

/** Options of {@link processMetrics}. */
export interface ProcessMetricsOptions {
  /** Where the memory limit is read. @defaultValue the kernel's own files */
  readonly cgroup?: CgroupPaths;
}

/** One value of the process, read when metrics are collected. */
export type ProcessLevel = readonly [definition: MetricDefinition, value: number];

class ProcessLevels {
  #limitBytes: number = totalmem();
  #cpu = process.cpuUsage();
  #cpuAt = systemClock.monotonic();
  #loop: EventLoopUtilization = performance.eventLoopUtilization();

  constructor(cgroup: CgroupPaths | undefined) {
    cgroupMemoryLimit(cgroup).then(
      (limit) => {
        if (limit !== undefined) this.#limitBytes = limit.limitBytes;
      },
      () => {}, // a machine without cgroups keeps the machine's memory for a limit
    );
  }

  read(): readonly ProcessLevel[] {
    const resident = process.memoryUsage.rss();
    return [
      [METRIC_PROCESS_MEMORY, resident],
      [METRIC_PROCESS_MEMORY_UTILIZATION, resident / this.#limitBytes],
      [METRIC_PROCESS_CPU_UTILIZATION, this.#cpuShare()],
      [METRIC_EVENT_LOOP_UTILIZATION, this.#loopShare()],
    ];
  }

  #cpuShare(): number {
    const used = process.cpuUsage();
    const at = systemClock.monotonic();
    const busyMs = (used.user + used.system - this.#cpu.user - this.#cpu.system) / 1000;
    const elapsedMs = at - this.#cpuAt;
    this.#cpu = used;
    this.#cpuAt = at;
    return elapsedMs === 0 ? 0 : busyMs / elapsedMs / availableParallelism();
  }

  #loopShare(): number {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#loop);
    this.#loop = now;
    return utilization;
  }
}

/**
 * Writes how the process is as metrics: resident memory and its share of the limit, processor time,
 * and how busy the event loop is. Read at collection; costs nothing in between. Shares are since the
 * last collection, so a second reader halves their window.
 *
 * @returns stops it when disposed of
 */
export function processMetrics(options: ProcessMetricsOptions = {}): Disposable {
  const levels = new ProcessLevels(options.cgroup);
  const observed = observeProcess(levels);
  running.add(levels);
  return {
    [Symbol.dispose]: () => {
      running.delete(levels);
      observed[Symbol.dispose]();
    },
  };
}

/** Telemetry holds its sources weakly; these go on until they are stopped. */
const running = new Set<ProcessLevels>();

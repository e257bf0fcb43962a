import { availableParallelism, totalmem } from 'node:os';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { systemClock } from '@temper/core';
import { resolveOptions } from '@temper/core/policy';
import { type CgroupPaths, cgroupMemory, cgroupRule } from './cgroup.ts';
import {
  METRIC_EVENT_LOOP_UTILIZATION,
  METRIC_PROCESS_CPU_UTILIZATION,
  METRIC_PROCESS_MEMORY,
  METRIC_PROCESS_MEMORY_UTILIZATION,
} from './semconv.ts';
import { observeProcess, type ProcessLevel } from './telemetry.ts';

/** Options of {@link processMetrics}. */
export interface ProcessMetricsOptions {
  /** Files that describe the cgroup. @defaultValue those of the kernel */
  readonly cgroup?: CgroupPaths;
}

class ProcessLevels {
  #limitBytes: number = totalmem();
  #cpu = process.cpuUsage();
  #cpuAt = systemClock.monotonic();
  #loop: EventLoopUtilization = performance.eventLoopUtilization();

  constructor(cgroup: CgroupPaths) {
    cgroupMemory(cgroup).then(
      (limit) => {
        if (limit !== undefined) this.#limitBytes = limit.limitBytes;
      },
      () => {}, // without cgroups the limit stays the memory of the machine
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
 * Reports metrics of the process: resident memory and its share of the limit, CPU time, and event loop
 * utilization. They are read at each collection and cost nothing in between. CPU and event loop shares
 * cover the time since the last collection, so with two metric readers each covers a part of it.
 *
 * @returns stops the metrics when disposed
 * @throws {TypeError} when an option is unknown or invalid
 */
export function processMetrics(options: ProcessMetricsOptions = {}): Disposable {
  const { cgroup } = resolveOptions<ProcessMetricsOptions>(
    'processMetrics',
    options,
    { cgroup: {} },
    { cgroup: cgroupRule },
  );
  const levels = new ProcessLevels(cgroup);
  const observed = observeProcess(levels);
  running.add(levels);
  return {
    [Symbol.dispose]: () => {
      running.delete(levels);
      observed[Symbol.dispose]();
    },
  };
}

/** Telemetry holds its sources weakly, so running ones are held here until they are stopped. */
const running = new Set<ProcessLevels>();

import { setTimeout as sleep } from 'node:timers/promises';
import type { LspProcess } from '@temper/parsercraft';
import type { FillableSink } from '../service/full-disk.ts';
import type { FaultSource } from './fault.ts';

/** Time between two kills, in milliseconds: less than a server needs to start, on a fast machine too. */
const KILL_MS = 60;

/** Kills the language server's process, and kills it again after each restart. */
export function lspCrash(process: LspProcess): FaultSource {
  return {
    title: 'Language server crash',
    about: 'Kills the language server with SIGKILL, and again after each restart.',
    runbook: 'unhealthy_check',
    kind: 'switch',
    begin: async (signal) => {
      process.kill();
      const timer = setInterval(() => process.kill(), KILL_MS);
      signal.addEventListener('abort', () => clearInterval(timer), { once: true });
      return undefined;
    },
  };
}

/** Makes every write of the audit log fail as on a full disk. */
export function auditDiskFull(disk: FillableSink): FaultSource {
  return {
    title: 'Audit disk full',
    about: 'Every write of the audit log fails with ENOSPC.',
    runbook: 'audit_loss',
    ...switching((on) => {
      disk.full = on;
    }),
  };
}

/** Time between two steps of the leak, in milliseconds; sessions per step; and the most that are kept. */
const LEAK = { stepMs: 250, sessions: 1_000, most: 60_000 } as const;

/** What the fault leaks: about 2 KB each. */
class LeakedSession {
  readonly history: readonly number[] = Array.from({ length: 256 }, (_, index) => index + 0.5);
}

/** Keeps more and more objects, up to about 120 MB, until it is switched off. */
export function memoryLeak(): FaultSource {
  let kept: LeakedSession[] = [];
  return {
    title: 'Memory leak',
    about: 'Keeps 8 MB more per second, up to 120 MB.',
    runbook: 'high_memory_usage',
    kind: 'switch',
    begin: async (signal) => {
      const timer = setInterval(() => {
        if (kept.length >= LEAK.most) return;
        for (let i = 0; i < LEAK.sessions; i += 1) kept.push(new LeakedSession());
      }, LEAK.stepMs);
      timer.unref();
      signal.addEventListener('abort', () => clearInterval(timer), { once: true });
      return undefined;
    },
    end: async () => {
      kept = [];
    },
  };
}

/** How long the event loop is blocked, in milliseconds: less than what fails liveness. */
const STALL_MS = 6_000;
/** The answer to the request that switches the fault on is sent before. */
const BEFORE_STALL_MS = 300;

/** Blocks the event loop once, with synchronous work. */
export function eventLoopStall(): FaultSource {
  return {
    title: 'Event loop stall',
    about: `Blocks the event loop for ${STALL_MS / 1_000} s. Liveness is answered by a watchdog.`,
    runbook: 'event_loop_stall',
    kind: 'burst',
    begin: async (signal) => {
      await sleep(BEFORE_STALL_MS, undefined, { signal });
      return `blocked for ${Math.round(analyzeSynchronously(STALL_MS))} ms`;
    },
  };
}

/** Synchronous work, as of a parser without a limit. Returns its duration in milliseconds. */
function analyzeSynchronously(durationMs: number): number {
  const startedAt = performance.now();
  while (performance.now() - startedAt < durationMs) Math.sqrt(Math.random());
  return performance.now() - startedAt;
}

/** A handler of the shutdown that never settles while `hung` is set. */
export class JobQueue {
  hung = false;

  /** Waits for the jobs under way, of which the demo has none. */
  readonly drain = (): Promise<void> =>
    this.hung ? new Promise<void>(() => undefined) : Promise.resolve();
}

/** Makes the next shutdown of the service wait for a handler that never settles. */
export function hungShutdown(queue: JobQueue): FaultSource {
  return {
    title: 'Hung shutdown',
    about: 'At the next shutdown the handler of the job queue hangs until its time limit.',
    runbook: 'hung_shutdown',
    ...switching((on) => {
      queue.hung = on;
    }),
  };
}

/** The part of a fault that is on from its begin to its end, and measures nothing. */
function switching(set: (on: boolean) => void): Pick<FaultSource, 'kind' | 'begin' | 'end'> {
  return {
    kind: 'switch',
    begin: async () => {
      set(true);
      return undefined;
    },
    end: async () => set(false),
  };
}

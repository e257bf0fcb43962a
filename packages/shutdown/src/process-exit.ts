import type cluster from 'node:cluster';
import { writeSync } from 'node:fs';
import type { Clock } from '@temper/core';
import { builtinModule } from '@temper/core/policy';
import { describeActiveHandles } from './handles.ts';
import { formatHandles } from './report.ts';

/** How a shutdown acts on the process. Tests replace it. */
export interface ProcessExit {
  /** Ends the process immediately. */
  exit(code: number): void;
  /** Sets the exit code for when the event loop becomes empty. */
  setExitCode(code: number): void;
  /** Lets the process end although its parent still holds the IPC channel. */
  releaseChannel(): void;
  /** Descriptions of what keeps the event loop alive. */
  handles(): string[];
  /** Writes to standard error. */
  log(text: string): void;
}

/** Acts on the current process. */
export const nodeProcess: ProcessExit = {
  exit: (code) => process.exit(code),
  setExitCode: (code) => {
    process.exitCode = code;
  },
  releaseChannel: () => {
    // The primary may have sent a connection that this worker has not received. It is told to give the
    // connection to another worker, which the disconnection waits for.
    const worker = builtinModule<typeof cluster>('node:cluster')?.worker;
    if (worker?.isConnected()) worker.disconnect();
    // Pending messages are still sent. The parent sees the channel close when the process ends.
    else process.channel?.unref();
  },
  handles: describeActiveHandles,
  log: (text) => {
    try {
      // Synchronous, because the process may end right after.
      writeSync(2, `${text}\n`);
    } catch {
      // Standard error is closed.
    }
  },
};

/**
 * Sets the exit code and lets the process end by itself. If the event loop is still alive after
 * `lingerMs` milliseconds, logs what keeps it alive and ends the process.
 */
export function exitWhenIdle(
  processExit: ProcessExit,
  clock: Clock,
  code: number,
  lingerMs: number,
): void {
  processExit.setExitCode(code);
  // In a forked child or a cluster worker, a listener for messages would keep the event loop alive.
  processExit.releaseChannel();
  const timer = clock.schedule(() => {
    const handles = processExit.handles();
    const text = handles.length === 0 ? ' unknown' : formatHandles(handles, '  ');
    const end = text.startsWith('\n') ? '\n' : '. ';
    processExit.log(
      `Shutdown finished, but ${lingerMs} ms later the event loop is still kept alive by:${text}${end}Exiting with code ${code}.`,
    );
    processExit.exit(code);
  }, lingerMs);
  timer.unref();
}

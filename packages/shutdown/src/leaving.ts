import { writeSync } from 'node:fs';
import type { Clock } from '@temper/core';
import { describeActiveHandles } from './handles.ts';

/** How the process is left. Another one stands in for it in tests. */
export interface Leaving {
  /** Ends the process now. */
  exit(code: number): void;
  /** Sets what it ends with when nothing holds it any more. */
  setExitCode(code: number): void;
  /** What holds the event loop. */
  handles(): string[];
  /** Tells people. */
  log(text: string): void;
}

/** The real process. */
export const leavingProcess: Leaving = {
  exit: (code) => process.exit(code),
  setExitCode: (code) => {
    process.exitCode = code;
  },
  handles: describeActiveHandles,
  log: (text) => {
    try {
      // Synchronously: the process may end right after.
      writeSync(2, `${text}\n`);
    } catch {
      // Nobody reads it.
    }
  },
};

/**
 * Lets the process end by itself, and ends it if something still holds it after `lingerMs`, saying
 * what.
 */
export function leave(leaving: Leaving, clock: Clock, code: number, lingerMs: number): void {
  leaving.setExitCode(code);
  const timer = clock.schedule(() => {
    const held = leaving.handles().join('; ') || 'nothing that can be named';
    leaving.log(
      `The shutdown is over, and after ${lingerMs} ms the event loop is still held by: ${held}. Leaving with exit code ${code}.`,
    );
    leaving.exit(code);
  }, lingerMs);
  timer.unref();
}

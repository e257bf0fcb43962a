import { getPriority, setPriority } from 'node:os';

const LOWEST_PRIORITY = 19;

/**
 * Gives a child process a lower priority than this process, so that on a busy machine this one comes first.
 * Does nothing where the system does not allow it, or when the process has ended.
 *
 * @param by - steps of niceness, added to that of this process; the result is at most 19
 */
export function lowerPriority(pid: number | undefined, by: number): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(LOWEST_PRIORITY, getPriority() + by));
  } catch {
    // It has ended already, or the system does not allow it.
  }
}

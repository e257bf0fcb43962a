import { setTimeout as sleep } from 'node:timers/promises';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** What a shell reports for a process that SIGINT ended. */
const EXIT_BY_SECOND_SIGNAL = 130;
/** A parent that is gone reads no answers: whatever still runs then gets no more than this. */
const ORPHAN_LIMIT_MS = 2_000;

/**
 * Calls `stop` once, at the first signal or when the parent goes away, and exits when it is done.
 * A second signal exits at once. The parent is watched through what it holds open: standard
 * input, and the IPC channel where there is one; both end with it, however it ends.
 */
export function onStopRequest(
  options: { readonly exitWithParent: boolean },
  stop: () => Promise<void>,
): void {
  let stopping = false;
  const begin = (limitMs?: number): void => {
    if (stopping) return;
    stopping = true;
    const limit = limitMs === undefined ? [] : [sleep(limitMs)];
    Promise.race([stop(), ...limit]).then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`parsercraft-registry: could not stop cleanly: ${error}\n`);
        process.exit(1);
      },
    );
  };
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT_BY_SECOND_SIGNAL);
      begin();
    });
  }
  // Whoever read our output may be gone before we are; that is no reason to fail.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  if (!options.exitWithParent) return;
  const orphaned = (): void => begin(ORPHAN_LIMIT_MS);
  process.stdin.on('end', orphaned).on('close', orphaned).on('error', orphaned).resume();
  process.on('disconnect', orphaned);
}

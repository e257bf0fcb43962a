import { setTimeout as sleep } from 'node:timers/promises';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** The exit code for termination by SIGINT, as shells report it. */
const EXIT_BY_SECOND_SIGNAL = 130;
/** Time for running requests after the parent has exited, in milliseconds. */
const ORPHAN_LIMIT_MS = 2_000;

/**
 * Calls `stop` once, on the first signal or when the parent exits, then exits. A second signal
 * exits immediately. The exit of the parent is detected through standard input and the IPC channel,
 * if any: both close however the parent ends.
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
        process.stderr.write(`parsercraft-registry: shutdown failed: ${error}\n`);
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
  // Writing to a closed pipe must not crash the process.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  if (!options.exitWithParent) return;
  const orphaned = (): void => begin(ORPHAN_LIMIT_MS);
  process.stdin.on('end', orphaned).on('close', orphaned).on('error', orphaned).resume();
  process.on('disconnect', orphaned);
}

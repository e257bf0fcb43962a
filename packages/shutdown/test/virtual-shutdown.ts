import { ManualClock } from '@temper/testkit';
import { afterEach } from 'vitest';
import type { GracefulShutdownOptions } from '../src/options.ts';
import type { ProcessExit } from '../src/process-exit.ts';
import { type GracefulShutdown, shutdownOf } from '../src/shutdown.ts';

/** Records what would have happened to the process. */
export class FakeProcess implements ProcessExit {
  readonly exits: number[] = [];
  readonly lines: string[] = [];
  exitCode: number | undefined;
  exit = (code: number): void => void this.exits.push(code);
  setExitCode = (code: number): void => {
    this.exitCode = code;
  };
  handles = (): string[] => ['a handle'];
  released = false;
  releaseChannel = (): void => {
    this.released = true;
  };
  log = (text: string): void => void this.lines.push(text);
}

const made: GracefulShutdown[] = [];
afterEach(() => {
  for (const shutdown of made.splice(0)) shutdown[Symbol.dispose]();
});

/** A shutdown on virtual time, without a delay, that is disposed after the test. */
export function setUp(options: GracefulShutdownOptions = {}): {
  readonly clock: ManualClock;
  readonly processExit: FakeProcess;
  readonly shutdown: GracefulShutdown;
} {
  const clock = new ManualClock();
  const processExit = new FakeProcess();
  const shutdown = shutdownOf({ delayMs: 0, clock, ...options }, processExit);
  made.push(shutdown);
  return { clock, processExit, shutdown };
}

/** A promise that never settles. */
export const never = (): Promise<never> => new Promise<never>(() => {});

import { ManualClock } from '@temper/testkit';
import { afterEach } from 'vitest';
import type { Leaving } from '../src/leaving.ts';
import type { GracefulShutdownOptions } from '../src/options.ts';
import { type GracefulShutdown, gracefulShutdown } from '../src/shutdown.ts';

/** A process that is not left, and remembers how it would have been. */
export class FakeProcess implements Leaving {
  readonly exits: number[] = [];
  readonly lines: string[] = [];
  exitCode: number | undefined;
  exit = (code: number): void => void this.exits.push(code);
  setExitCode = (code: number): void => {
    this.exitCode = code;
  };
  handles = (): string[] => ['a handle'];
  log = (text: string): void => void this.lines.push(text);
}

const made: GracefulShutdown[] = [];
afterEach(() => {
  for (const shutdown of made.splice(0)) shutdown[Symbol.dispose]();
});

/** A shutdown on virtual time, without a delay, and disposed of after the test. */
export function setUp(options: GracefulShutdownOptions = {}): {
  readonly clock: ManualClock;
  readonly leaving: FakeProcess;
  readonly shutdown: GracefulShutdown;
} {
  const clock = new ManualClock();
  const leaving = new FakeProcess();
  const shutdown = gracefulShutdown({ delayMs: 0, clock, leaving, ...options });
  made.push(shutdown);
  return { clock, leaving, shutdown };
}

/** What never ends. */
export const never = (): Promise<never> => new Promise<never>(() => {});

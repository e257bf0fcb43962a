import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CheckedProgram } from '../types/check.ts';
import { compile } from './compile.ts';
import { FAULT_EXIT_CODE, FAULTS, faultLine } from './faults.ts';
import { Machine } from './machine.ts';

export interface RunOptions {
  /** Ends the run; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Steps of the machine, a few per operator; long strings cost more.
   *
   * @defaultValue 5_000_000
   */
  readonly maxSteps?: number;
  /** @defaultValue 1_048_576 */
  readonly maxOutputBytes?: number;
}

export const DEFAULT_MAX_STEPS = 5_000_000;
export const DEFAULT_MAX_OUTPUT_BYTES = 1_048_576;
/** Steps between two looks at the signal and two turns of the event loop: about a millisecond. */
const STEPS_PER_TURN = 20_000;

/** What a program that ended by itself printed and how it exited. */
export interface RunResult {
  readonly output: string;
  /** What it wrote to its error output: empty, or the line of its fault. */
  readonly errorOutput: string;
  /** 0, or 70 after a fault such as a division by zero. */
  readonly exitCode: number;
  readonly fault: { readonly message: string; readonly place: string } | undefined;
  readonly steps: number;
}

/**
 * Runs a program. A fault of the program is a result, not an exception.
 *
 * @throws {ParseError | TypeCheckError} when the program has faults of its own
 * @throws {StepBudgetError} after `maxSteps`
 * @throws {OutputLimitError} after `maxOutputBytes`
 */
export async function run(program: CheckedProgram, options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const machine = machineOf(program, options);
  while (!machine.run(STEPS_PER_TURN)) {
    await nextTurn();
    options.signal?.throwIfAborted();
  }
  return resultOf(machine);
}

/** Runs a program without giving up the event loop. For short programs and tests. */
export function runSync(
  program: CheckedProgram,
  options: Omit<RunOptions, 'signal'> = {},
): RunResult {
  const machine = machineOf(program, options);
  while (!machine.run(STEPS_PER_TURN));
  return resultOf(machine);
}

function machineOf(program: CheckedProgram, options: RunOptions): Machine {
  return new Machine(compile(program), {
    maxSteps: options.maxSteps ?? DEFAULT_MAX_STEPS,
    maxOutputBytes: options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES,
  });
}

function resultOf({ output, fault, steps }: Machine): RunResult {
  if (fault === undefined) return { output, errorOutput: '', exitCode: 0, fault: undefined, steps };
  return {
    output,
    errorOutput: faultLine(fault.kind, fault.place),
    exitCode: FAULT_EXIT_CODE,
    fault: { message: FAULTS[fault.kind], place: fault.place },
    steps,
  };
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CheckedProgram } from '../types/check.ts';
import { compile } from './compile.ts';
import { FAULT_EXIT_CODE, FAULTS, faultLine } from './faults.ts';
import { Machine } from './machine.ts';

export interface RunOptions {
  /** Aborts the run, which rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Maximum number of machine steps. An operator takes a few; long strings take more.
   *
   * @defaultValue 5_000_000
   */
  readonly maxSteps?: number;
  /** Maximum output, in bytes of UTF-8. @defaultValue 1_048_576 */
  readonly maxOutputBytes?: number;
}

export const DEFAULT_MAX_STEPS = 5_000_000;
export const DEFAULT_MAX_OUTPUT_BYTES = 1_048_576;
/** Steps between two checks of the signal, which yield to the event loop: about a millisecond. */
const STEPS_PER_TURN = 20_000;

/** Output and exit code of a program that ran to its end. */
export interface RunResult {
  readonly output: string;
  /** Standard error: empty, or the line of the runtime error. */
  readonly errorOutput: string;
  /** 0, or 70 after a runtime error such as a division by zero. */
  readonly exitCode: number;
  readonly fault: { readonly message: string; readonly place: string } | undefined;
  readonly steps: number;
}

/**
 * Runs a program. A runtime error of the program is part of the result, not an exception.
 *
 * @throws {ParseError | TypeCheckError} when the program has syntax or type errors
 * @throws {StepBudgetError} when the program exceeds `maxSteps`
 * @throws {OutputLimitError} when the program exceeds `maxOutputBytes`
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

/** Runs a program without yielding to the event loop. For short programs and tests. */
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

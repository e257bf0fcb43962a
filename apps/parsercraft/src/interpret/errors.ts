/** A program exceeded the step limit of its run. */
export class StepBudgetError extends Error {
  override readonly name = 'StepBudgetError';
  readonly code = 'ERR_PARSERCRAFT_STEPS';
  readonly maxSteps: number;

  constructor(maxSteps: number) {
    super(
      `The program did not finish within ${maxSteps} steps; raise maxSteps or check for an infinite loop.`,
    );
    this.maxSteps = maxSteps;
  }
}

/** A program exceeded the output limit of its run. */
export class OutputLimitError extends Error {
  override readonly name = 'OutputLimitError';
  readonly code = 'ERR_PARSERCRAFT_OUTPUT';
  readonly maxOutputBytes: number;

  constructor(maxOutputBytes: number) {
    super(`The program printed more than ${maxOutputBytes} bytes.`);
    this.maxOutputBytes = maxOutputBytes;
  }
}

/** A program took more steps than its run was given. */
export class StepBudgetError extends Error {
  override readonly name = 'StepBudgetError';
  readonly code = 'ERR_PARSERCRAFT_STEPS';
  readonly maxSteps: number;

  constructor(maxSteps: number) {
    super(
      `The program did not end within ${maxSteps} steps; raise maxSteps or look for a loop without end.`,
    );
    this.maxSteps = maxSteps;
  }
}

/** A program printed more than its run may. */
export class OutputLimitError extends Error {
  override readonly name = 'OutputLimitError';
  readonly code = 'ERR_PARSERCRAFT_OUTPUT';
  readonly maxOutputBytes: number;

  constructor(maxOutputBytes: number) {
    super(`The program printed more than ${maxOutputBytes} bytes.`);
    this.maxOutputBytes = maxOutputBytes;
  }
}

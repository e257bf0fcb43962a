/** What a test says about its diagnostics. Kept on the process: setup files and tests have modules of their own. */
export interface ExpectedDiagnostics {
  readonly pattern: RegExp;
  /** Whether there must be one. */
  readonly required: boolean;
}

const KEY = Symbol.for('temper.tests.expected-diagnostics');
const registry = globalThis as { [KEY]?: ExpectedDiagnostics[] };

/** Says that this test causes a diagnostic that matches, and none that does not. */
export function expectDiagnostics(pattern: RegExp): void {
  expected().push({ pattern, required: true });
}

/** Says that this test may cause diagnostics that match: where others in a table do. */
export function allowDiagnostics(pattern: RegExp): void {
  expected().push({ pattern, required: false });
}

/** What the present test has said. Emptied by `diagnosticsProblem`. */
function expected(): ExpectedDiagnostics[] {
  registry[KEY] ??= [];
  return registry[KEY];
}

/** Compares what was logged with what the test has said, and forgets the latter. @returns what is wrong */
export function diagnosticsProblem(logged: readonly string[]): string | undefined {
  const all = expected().splice(0);
  const surprises = logged.filter((each) => !all.some(({ pattern }) => pattern.test(each)));
  if (surprises.length > 0) return `Unexpected diagnostics: ${surprises.join('; ')}`;
  const missing = all.find(
    ({ pattern, required }) => required && !logged.some((each) => pattern.test(each)),
  );
  return missing === undefined ? undefined : `No diagnostic matches ${missing.pattern}.`;
}

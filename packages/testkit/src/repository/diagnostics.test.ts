import { expect, it } from 'vitest';
import { allowDiagnostics, diagnosticsProblem, expectDiagnostics } from './diagnostics.ts';

it('a diagnostic that the test has not spoken of is a problem, and one that it spoke of must come', () => {
  expect(diagnosticsProblem([])).toBeUndefined();
  expect(diagnosticsProblem(['retry: onRetry threw'])).toBe(
    'Unexpected diagnostics: retry: onRetry threw',
  );
  expectDiagnostics(/threw/);
  expect(diagnosticsProblem(['retry: onRetry threw', 'the store failed'])).toBe(
    'Unexpected diagnostics: the store failed',
  );
  expectDiagnostics(/threw/);
  expect(diagnosticsProblem([])).toBe('No diagnostic matches /threw/.');
  allowDiagnostics(/threw/);
  expect(diagnosticsProblem([])).toBeUndefined();
  allowDiagnostics(/threw/);
  expect(diagnosticsProblem(['retry: onRetry threw'])).toBeUndefined();
  // What one test has said does not hold for the next.
  expect(diagnosticsProblem(['retry: onRetry threw'])).toContain('Unexpected');
});

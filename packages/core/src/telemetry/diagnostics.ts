import { diag } from '@opentelemetry/api';

/** Logs on OpenTelemetry's `diag` that a function of the user's failed. Never throws. */
export function reportCallbackError(owner: string, option: string, error: unknown): void {
  report(`${owner}: ${option} threw an error; the call continued without it.`, error);
}

/** Logs on OpenTelemetry's `diag` that telemetry failed. Never throws. */
export function reportTelemetryError(scope: string, error: unknown): void {
  report(`${scope}: telemetry failed; the call continued without it.`, error);
}

/** Logs a warning on OpenTelemetry's `diag`. Never throws. */
export function warn(message: string): void {
  try {
    diag.warn(message);
  } catch {
    // As in `report`.
  }
}

function report(message: string, error: unknown): void {
  try {
    diag.error(message, error);
  } catch {
    // The logger of the diagnostics is user code too, and there is nowhere left to report.
  }
}

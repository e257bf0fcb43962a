import { warn } from '@temper/core/policy';

/** What is read of Node's `process`, which other platforms need not have. */
interface Process {
  emitWarning?(message: string, options: { readonly type: string; readonly code: string }): void;
}

/**
 * Says something that somebody has to read: as a warning of the process where there is one (on the
 * standard error stream by default), else on OpenTelemetry's `diag`. Never throws.
 */
export function warnLoudly(code: string, message: string): void {
  const { process } = globalThis as { process?: Process };
  if (typeof process?.emitWarning !== 'function') {
    warn(message);
    return;
  }
  try {
    process.emitWarning(message, { type: 'TemperWarning', code });
  } catch {
    // `emitWarning` may have been replaced.
  }
}

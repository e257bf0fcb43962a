import { isError } from '../causes.ts';

import { messageOf, safeLines, safeText } from '../text.ts';
import { processApi } from './process-api.ts';

/** Most lines of a stack that are logged. */
const MAX_FRAMES = 12;

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
    processApi()?.diag?.warn(message);
  } catch {
    // As in `report`.
  }
}

function report(message: string, error: unknown): void {
  try {
    processApi()?.diag?.error(message, copyOf(error));
  } catch {
    // The logger of the diagnostics is user code too, and there is nowhere left to report.
  }
}

/**
 * What may be logged of a foreign error: its name, message and stack, bounded and scrubbed. Its other
 * properties are left out: clients of HTTP keep requests in them, credentials included.
 */
function copyOf(error: unknown): unknown {
  const message = messageOf(error);
  if (!looksLikeError(error)) return message;
  const copy = new Error(message);
  const name = safeText(readOf(error, 'name') ?? 'Error', 64);
  if (name !== copy.name) Object.defineProperty(copy, 'name', { value: name, configurable: true });
  copy.stack = [`${name}: ${message}`, framesOf(error)].join('\n').trimEnd();
  return copy;
}

function looksLikeError(value: unknown): value is object {
  try {
    return isError(value);
  } catch {
    return false; // a revoked proxy
  }
}

/** Where the error was thrown; the message that a stack begins with is left out. */
function framesOf(error: object): string {
  const stack = readOf(error, 'stack') ?? '';
  const first = stack.search(/^[ \t]+at /m);
  return first === -1 ? '' : safeLines(stack.slice(first), MAX_FRAMES);
}

function readOf(error: object, key: 'name' | 'stack'): string | undefined {
  try {
    const value = (error as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined; // a hostile getter
  }
}

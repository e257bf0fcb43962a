import { constants } from 'node:os';
import { messageOf, safeText } from '@temper/core/policy';
import { enumerate } from './enumerate.ts';
import { CREATED_AT, MAX_PLACED_LENGTH } from './handles.ts';
import type { HandlerOutcome, ShutdownOutcome } from './phases.ts';
import { describeReason, isCrash, type ShutdownReason } from './reason.ts';

/** Result of one handler. */
export interface HandlerResult {
  readonly phase: string;
  readonly name: string;
  readonly outcome: HandlerOutcome;
  /** In milliseconds. Equals the time limit if the handler timed out. */
  readonly durationMs: number;
  /** The error that it threw, or the timeout error. */
  readonly error?: unknown;
  /** Where it was registered, if it did not complete and `creationStacks` is set. */
  readonly registeredAt?: string;
}

/** Report of a shutdown. */
export interface ShutdownReport {
  readonly name: string;
  readonly reason: ShutdownReason;
  readonly outcome: ShutdownOutcome;
  /** When it began, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Duration in milliseconds, including the delay and the export of telemetry. */
  readonly durationMs: number;
  /** In the order in which they ended. Audit log and telemetry come last. */
  readonly handlers: readonly HandlerResult[];
  /** Handlers that were started and have not settled, as `phase/name`. */
  readonly hung: readonly string[];
  /** Open requests and pending tracked promises. */
  readonly inFlight: number;
  /** Requests whose connections were destroyed at the time limit. */
  readonly cutOff: number;
  /** What keeps the event loop alive. Empty unless the outcome is `timed_out` or `forced`. */
  readonly handles: readonly string[];
  /** Exit code of the process. */
  readonly exitCode: number;
}

/**
 * The exit code of a shutdown: 0 if everything completed; 1 if a handler failed, an uncaught error
 * began the shutdown, or `force()` ended it; 124 after a timeout, as in `timeout(1)`; 128 + n if the
 * signal with number n forced it, as in a POSIX shell.
 */
export function exitCodeOf(
  outcome: ShutdownOutcome,
  reason: ShutdownReason,
  forcedBy?: NodeJS.Signals,
): number {
  if (outcome === 'forced') return forcedBy === undefined ? 1 : 128 + constants.signals[forcedBy];
  if (outcome === 'timed_out') return 124;
  return outcome === 'failed' || isCrash(reason) ? 1 : 0;
}

/** How many handlers that did not complete get a line of their own. */
const MAX_PROBLEMS = 50;

/**
 * Formats a report as text: one line, plus one line for each problem. Every line is bounded and
 * scrubbed; the errors themselves are in the report.
 */
export function formatReport(report: ShutdownReport): string {
  const { name, reason, outcome, durationMs, handlers, hung, inFlight, cutOff, handles, exitCode } =
    report;
  const lines = [
    `Shutdown '${safeText(name)}' (${describeReason(reason)}) ${PAST[outcome]} after ${Math.round(durationMs)} ms, exit code ${exitCode}.`,
  ];
  const problems = handlers.filter((handler) => handler.outcome !== 'completed');
  for (const handler of problems.slice(0, MAX_PROBLEMS)) {
    const why = handler.error === undefined ? '' : `: ${messageOf(handler.error)}`;
    const which = safeText(`${handler.phase}/${handler.name}`);
    lines.push(`  ${handler.outcome.replace('_', ' ')}  ${which}${why}`);
    if (handler.registeredAt !== undefined) {
      lines.push(`    registered at ${safeText(handler.registeredAt)}`);
    }
  }
  if (problems.length > MAX_PROBLEMS) {
    lines.push(`  and ${problems.length - MAX_PROBLEMS} more handlers that did not complete`);
  }
  if (hung.length > 0) lines.push(`  still running: ${enumerate(hung)}`);
  if (cutOff > 0) lines.push(`  requests cut off: ${cutOff}`);
  if (inFlight > 0) lines.push(`  still in flight: ${inFlight}`);
  if (handles.length > 0)
    lines.push(`  event loop kept alive by:${formatHandles(handles, '    ')}`);
  return lines.join('\n');
}

/** How many handles with a place get a line of their own. */
const MAX_PLACES = 20;

/**
 * What keeps the event loop alive, to be put behind a colon: on the same line, or on a line each with the
 * places of creation.
 */
export function formatHandles(handles: readonly string[], indent: string): string {
  const lines = handles.slice(0, MAX_PLACES).map((handle) => safeText(handle, MAX_PLACED_LENGTH));
  if (!lines.some((line) => line.includes(CREATED_AT))) return ` ${enumerate(handles, '; ')}`;
  if (handles.length > MAX_PLACES) lines.push(`and ${handles.length - MAX_PLACES} more`);
  return lines.map((line) => `\n${indent}${line}`).join('');
}

const PAST: Readonly<Record<ShutdownOutcome, string>> = {
  completed: 'completed',
  failed: 'failed',
  timed_out: 'timed out',
  forced: 'was forced',
};

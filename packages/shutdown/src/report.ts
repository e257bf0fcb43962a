import { constants } from 'node:os';
import { messageOf } from '@temper/core';
import type { HandlerOutcome, ShutdownOutcome } from './phases.ts';
import { describeReason, isCrash, type ShutdownReason } from './reason.ts';

/** What became of one handler. */
export interface HandlerResult {
  readonly phase: string;
  readonly name: string;
  readonly outcome: HandlerOutcome;
  /** In milliseconds; its timeout, for one that timed out. */
  readonly durationMs: number;
  /** What it threw, or the timeout. */
  readonly error?: unknown;
}

/** Everything about a shutdown. */
export interface ShutdownReport {
  readonly name: string;
  readonly reason: ShutdownReason;
  readonly outcome: ShutdownOutcome;
  /** When it began, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** How long it took, delay and flushes included, in milliseconds. */
  readonly durationMs: number;
  /** In the order in which they ended; the flushes of audit log and telemetry last. */
  readonly handlers: readonly HandlerResult[];
  /** Handlers that have still not settled, as `phase/name`. */
  readonly hung: readonly string[];
  /** Requests and tracked promises that have not ended. */
  readonly inFlight: number;
  /** Requests whose connections were cut, as they did not end in time. */
  readonly cutOff: number;
  /** What holds the event loop, when something did not end in time. */
  readonly handles: readonly string[];
  /** What the process ends with; see {@link exitCodeOf}. */
  readonly exitCode: number;
}

/**
 * The exit code of a shutdown: 0 when all went well; 1 when a handler failed, or when the shutdown
 * was begun by an uncaught error; 124 when something did not end in time (as with `timeout(1)`);
 * 128 and the signal's number when a second signal forced it (as with a shell).
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

/** Tells a report to people, in a line when all went well. */
export function formatReport(report: ShutdownReport): string {
  const { name, reason, outcome, durationMs, handlers, hung, inFlight, cutOff, handles, exitCode } =
    report;
  const lines = [
    `Shutdown '${name}' after ${describeReason(reason)}: ${outcome.replace('_', ' ')} in ${Math.round(durationMs)} ms, exit code ${exitCode}.`,
  ];
  for (const handler of handlers) {
    if (handler.outcome === 'completed') continue;
    const why = handler.error === undefined ? '' : `: ${messageOf(handler.error)}`;
    lines.push(`  ${handler.outcome.replace('_', ' ')}  ${handler.phase}/${handler.name}${why}`);
  }
  if (hung.length > 0) lines.push(`  still running: ${hung.join(', ')}`);
  if (cutOff > 0) lines.push(`  requests cut off: ${cutOff}`);
  if (inFlight > 0) lines.push(`  still in flight: ${inFlight}`);
  if (handles.length > 0) lines.push(`  holding the event loop: ${handles.join('; ')}`);
  return lines.join('\n');
}

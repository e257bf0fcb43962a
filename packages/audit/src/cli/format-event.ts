import { safeText } from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import type { Style } from './io.ts';

/** Longest text of one field, in UTF-16 code units. */
const MAX_TEXT = 2_048;

/** Formats an event as one readable line. */
export function formatEvent(
  event: AuditEvent,
  style: (style: Style, text: string) => string,
): string {
  const { sequence, timestamp, status, eventType, action, resource, actor, durationMs, error } =
    event;
  const failed = error !== undefined || status === 'failure';
  const parts = [
    style('dim', `${timestamp} #${sequence}`),
    style(failed ? 'red' : 'green', printable(status)),
    `${printable(eventType)} ${style('bold', printable(action))} ${printable(resource)}`,
  ];
  if (actor !== undefined) parts.push(`by ${printable(actor.name ?? actor.id)}`);
  if (durationMs !== undefined) parts.push(`${Math.round(durationMs * 100) / 100} ms`);
  if (error !== undefined) parts.push(style('red', printable(`${error.name}: ${error.message}`)));
  if (Object.keys(event.details).length > 0)
    parts.push(style('dim', printable(JSON.stringify(event.details))));
  if (event.traceId !== undefined) parts.push(style('dim', `trace ${event.traceId}`));
  return parts.join('  ');
}

/**
 * Text of the log as it is shown to people: one line without control characters, terminal escapes and
 * credentials in URLs. `--json` shows all of it.
 */
export function printable(text: string): string {
  return safeText(text, MAX_TEXT);
}

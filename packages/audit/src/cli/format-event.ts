import type { AuditEvent } from '../chain/event.ts';
import type { Style } from './io.ts';

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

/** Replaces control characters, which could be terminal escape sequences. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression removes control characters
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\uFFFD');
}

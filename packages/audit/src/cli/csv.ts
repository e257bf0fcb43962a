import { canonicalize } from '../chain/canonical-json.ts';
import type { AuditEvent } from '../chain/event.ts';

/** The columns, in order; `actor`, `details` and `error` are in several or as JSON. */
const COLUMNS: readonly (readonly [name: string, (event: AuditEvent) => unknown])[] = [
  ['sequence', (event) => event.sequence],
  ['timestamp', (event) => event.timestamp],
  ['eventType', (event) => event.eventType],
  ['action', (event) => event.action],
  ['resource', (event) => event.resource],
  ['status', (event) => event.status],
  ['actorId', (event) => event.actor?.id],
  ['actorType', (event) => event.actor?.type],
  ['actorName', (event) => event.actor?.name],
  ['durationMs', (event) => event.durationMs],
  ['errorName', (event) => event.error?.name],
  ['errorCode', (event) => event.error?.code],
  ['errorMessage', (event) => event.error?.message],
  ['details', (event) => canonicalize(event.details)],
  ['traceId', (event) => event.traceId],
  ['spanId', (event) => event.spanId],
  ['id', (event) => event.id],
  ['log', (event) => event.log],
  ['prev', (event) => event.prev],
  ['hash', (event) => event.hash],
];

/** The first line of a CSV file, without a line break. */
export const CSV_HEADER: string = COLUMNS.map(([name]) => name).join(',');

/**
 * An event as a record of RFC 4180, without a line break at its end. A text that a spreadsheet would take
 * for a formula gets an apostrophe before it, so a CSV file cannot be verified: export JSON lines for that.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvRecord(event: AuditEvent): string {
  return COLUMNS.map(([, read]) => field(read(event))).join(',');
}

function field(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = String(value);
  const safe = /^\s*[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n']|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

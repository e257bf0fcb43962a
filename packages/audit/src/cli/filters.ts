import type { ParseArgsOptionDescriptor } from 'node:util';
import type { AuditQuery } from '../read/query.ts';
import { UsageError } from './exit-codes.ts';

/** Options of a command. */
export type Options = Readonly<Record<string, ParseArgsOptionDescriptor>>;
/** Parsed options of `parseArgs`. */
export type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** Options that select the log. */
export const SOURCE_OPTIONS: Options = {
  writer: { type: 'string' },
  schema: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
};

const TEXT: Readonly<Record<string, keyof AuditQuery>> = {
  id: 'id',
  'event-type': 'eventType',
  action: 'action',
  resource: 'resource',
  status: 'status',
  actor: 'actor',
  trace: 'traceId',
  span: 'spanId',
  'error-name': 'errorName',
  'error-code': 'errorCode',
};

const NUMBERS: Readonly<Record<string, keyof AuditQuery>> = {
  from: 'fromSequence',
  to: 'toSequence',
  'min-duration': 'minDurationMs',
  'max-duration': 'maxDurationMs',
};

/** Options that select events. */
export const FILTER_OPTIONS: Options = {
  ...Object.fromEntries(
    Object.keys(TEXT).map((name) => [name, { type: 'string', multiple: true }]),
  ),
  ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: 'string' }])),
  failed: { type: 'boolean' },
  since: { type: 'string' },
  until: { type: 'string' },
  detail: { type: 'string', multiple: true },
};

/** Converts filter options to a query. */
export function queryFrom(values: Values, now: number): AuditQuery {
  const query: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(TEXT)) {
    if (values[name] !== undefined) query[field] = values[name];
  }
  for (const [name, field] of Object.entries(NUMBERS)) {
    const value = values[name];
    if (value !== undefined) query[field] = numberFrom(name, value as string);
  }
  if (values.failed === true) query.failed = true;
  for (const name of ['since', 'until']) {
    const value = values[name];
    if (value !== undefined) query[name] = timeFrom(name, value as string, now);
  }
  if (values.detail !== undefined) query.details = detailsFrom(values.detail as string[]);
  return query as AuditQuery;
}

/** @throws {UsageError} unless the text is an integer >= 0 */
export function numberFrom(name: string, text: string): number {
  if (!/^\d+$/.test(text))
    throw new UsageError(`--${name} must be an integer >= 0, got '${text}'.`);
  return Number(text);
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Parses a time: ISO 8601, or an age (`90s`, `15m`, `2h`, `7d`). */
function timeFrom(name: string, text: string, now: number): string {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const time =
    amount === undefined
      ? Date.parse(text)
      : now - Number(amount) * (UNITS[unit as string] as number);
  // Dates reach 100 million days from 1970.
  if (!(Math.abs(time) <= 8.64e15)) {
    throw new UsageError(`--${name} must be ISO 8601 or an age such as 15m, got '${text}'.`);
  }
  return new Date(time).toISOString();
}

function detailsFrom(pairs: readonly string[]): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`--detail must be path=value, got '${pair}'.`);
      return [pair.slice(0, at), scalar(pair.slice(at + 1))];
    }),
  );
}

/** Parses a number, true, false or null; any other text is returned as it is. */
function scalar(text: string): string | number | boolean | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? text
      : (value as string | number | boolean | null);
  } catch {
    return text;
  }
}

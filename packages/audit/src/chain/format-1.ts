import { hash } from 'node:crypto';
import { canonicalize, type JsonObject } from './canonical-json.ts';

/** An event of the format 1, as far as the migration needs to know it. */
export interface OldEvent {
  readonly sequence: number;
  readonly prev: string;
  readonly hash: string;
  readonly fields: JsonObject;
}

/** `prev` of the first event of every log of the format 1. */
export const OLD_GENESIS: string = '0'.repeat(64);

/**
 * Parses and verifies a line of the format 1: no version, no identifier of the log, and a hash without
 * a domain.
 *
 * @throws {TypeError} if it is not an event of the format 1, or does not match its hash
 */
export function parseOldLine(line: string): OldEvent {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || 'v' in value) {
    throw new TypeError('it is not an event of the format 1');
  }
  const { hash: stored, ...fields } = value as Record<string, never>;
  const { sequence, prev } = fields as { sequence?: unknown; prev?: unknown };
  if (!Number.isSafeInteger(sequence) || typeof prev !== 'string' || typeof stored !== 'string') {
    throw new TypeError('it has no sequence, prev or hash');
  }
  if (
    hash('sha256', canonicalize(fields)) !== stored ||
    canonicalize(value as JsonObject) !== line
  ) {
    throw new TypeError('its content does not match its hash');
  }
  return { sequence: sequence as number, prev, hash: stored, fields };
}

import { bitsSet } from '../chain/merkle.ts';
import { AuditCorruptError } from '../errors.ts';
import type { Anchor, StoredCheckpoint } from './sink.ts';

const HASH = /^[0-9a-f]{64}$/;

/** Text that a sink has stored as JSON. @throws {AuditCorruptError} if it is no JSON */
export function storedJson(source: string, location: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AuditCorruptError(source, location, undefined, 'it has text that is not JSON');
  }
}

/**
 * The anchor of a log as a sink has stored it.
 *
 * @throws {AuditCorruptError} if it is not one: others can write to the store
 */
export function storedAnchor(source: string, location: string, value: unknown): Anchor {
  const { sequence, hash, log = '', frontier } = (value ?? {}) as Partial<Record<string, unknown>>;
  const isFrontier = frontier === undefined || isNodes(frontier, sequence);
  const isHash = typeof hash === 'string' && HASH.test(hash);
  if (isSequence(sequence) && sequence > 0 && isHash && typeof log === 'string' && isFrontier) {
    const anchor = { sequence, hash, log };
    return frontier === undefined ? anchor : { ...anchor, frontier: frontier as string[] };
  }
  const what = 'the statement of what retention has removed is malformed';
  throw new AuditCorruptError(source, location, undefined, what);
}

/** A checkpoint as a sink has stored it; undefined if it is not one. */
export function storedCheckpoint(value: unknown): StoredCheckpoint | undefined {
  const { size, note, frontier } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (!isSequence(size) || typeof note !== 'string' || !isNodes(frontier, size)) return undefined;
  return { size, note, frontier: frontier as readonly string[] };
}

function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isNodes(value: unknown, size: unknown): boolean {
  return (
    Array.isArray(value) &&
    isSequence(size) &&
    value.length === bitsSet(size) &&
    value.every((node) => typeof node === 'string' && HASH.test(node))
  );
}

const SEQUENCE = ',"sequence":';
const TIMESTAMP = ',"timestamp":"';
const TIMESTAMP_LENGTH = '2026-01-01T00:00:00.000Z'.length;

/**
 * The sequence that a line of the log says it has, without parsing it. Undefined when it says none.
 *
 * Canonical JSON puts `sequence` and `timestamp` behind everything that a caller can fill with text,
 * and inside strings quotes are escaped, so the last occurrence is the event's own.
 */
export function lineSequence(line: string): number | undefined {
  const at = line.lastIndexOf(SEQUENCE);
  if (at < 0) return undefined;
  const sequence = Number.parseInt(line.slice(at + SEQUENCE.length, at + SEQUENCE.length + 17), 10);
  return Number.isNaN(sequence) ? undefined : sequence;
}

/** The timestamp that a line says it has. Empty when it says none. */
export function lineTimestamp(line: string): string {
  const at = line.lastIndexOf(TIMESTAMP);
  return at < 0 ? '' : line.slice(at + TIMESTAMP.length, at + TIMESTAMP.length + TIMESTAMP_LENGTH);
}

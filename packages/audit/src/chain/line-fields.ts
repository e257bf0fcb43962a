const SEQUENCE = ',"sequence":';
const TIMESTAMP = ',"timestamp":"';
const TIMESTAMP_LENGTH = '2026-01-01T00:00:00.000Z'.length;

/**
 * Reads the sequence of a line without parsing it. Undefined if the line has none.
 *
 * In canonical JSON `sequence` and `timestamp` come after all fields with text of the caller, and
 * quotes inside strings are escaped, so the last occurrence is the field of the event.
 */
export function lineSequence(line: string): number | undefined {
  const at = line.lastIndexOf(SEQUENCE);
  if (at < 0) return undefined;
  const sequence = Number.parseInt(line.slice(at + SEQUENCE.length, at + SEQUENCE.length + 17), 10);
  return Number.isNaN(sequence) ? undefined : sequence;
}

/** Reads the timestamp of a line without parsing it. Empty if the line has none. */
export function lineTimestamp(line: string): string {
  const at = line.lastIndexOf(TIMESTAMP);
  return at < 0 ? '' : line.slice(at + TIMESTAMP.length, at + TIMESTAMP.length + TIMESTAMP_LENGTH);
}

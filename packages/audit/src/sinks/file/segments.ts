import type { FilePort } from './file-port.ts';

/** Upper bound of the size of an event with the largest limits. A longer line is no event, and is not collected. */
export const MAX_LINE_BYTES: number = 4 * 1024 * 1024;

const NAME = /^(\d{20})\.jsonl(\.gz)?$/;

/** One file of a log. Its name is the sequence of its first event. */
export interface Segment {
  readonly name: string;
  /** Sequence of its first event. */
  readonly first: number;
  readonly compressed: boolean;
}

/** Name of the segment whose first event has the sequence `first`. */
export function segmentName(first: number): string {
  return `${String(first).padStart(20, '0')}.jsonl`;
}

/** Parses a file name; undefined if it is not the name of a segment. */
function parseSegment(name: string): Segment | undefined {
  const [, first, gz] = NAME.exec(name) ?? [];
  return first === undefined
    ? undefined
    : { name, first: Number(first), compressed: gz !== undefined };
}

/**
 * The segments of a log in order. If there is also a compressed file of a segment, because its
 * compression was interrupted or another program has compressed it, the plain file is used: it has all
 * events.
 */
export async function listSegments(
  files: FilePort,
  directory: string,
): Promise<readonly Segment[]> {
  const byFirst = new Map<number, Segment>();
  for (const name of await files.list(directory)) {
    const segment = parseSegment(name);
    if (segment !== undefined && byFirst.get(segment.first)?.compressed !== false) {
      byFirst.set(segment.first, segment);
    }
  }
  return [...byFirst.values()].sort((a, b) => a.first - b.first);
}

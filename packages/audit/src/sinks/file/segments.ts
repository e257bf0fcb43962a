import type { FilePort } from './file-port.ts';

const NAME = /^(\d{20})\.jsonl(\.gz)?$/;

/** One file of a log, named after its first event. */
export interface Segment {
  readonly name: string;
  /** Sequence of its first event. */
  readonly first: number;
  readonly compressed: boolean;
}

/** The name of the segment that begins with an event. */
export function segmentName(first: number): string {
  return `${String(first).padStart(20, '0')}.jsonl`;
}

/** The segment that a file is, if it is one. */
export function parseSegment(name: string): Segment | undefined {
  const [, first, gz] = NAME.exec(name) ?? [];
  return first === undefined
    ? undefined
    : { name, first: Number(first), compressed: gz !== undefined };
}

/**
 * The segments of a log in order. Where compression was interrupted between its last two steps, both
 * forms of a segment are there; the compressed one is complete, and counts.
 */
export async function listSegments(
  files: FilePort,
  directory: string,
): Promise<readonly Segment[]> {
  const byFirst = new Map<number, Segment>();
  for (const name of await files.list(directory)) {
    const segment = parseSegment(name);
    if (segment !== undefined && byFirst.get(segment.first)?.compressed !== true) {
      byFirst.set(segment.first, segment);
    }
  }
  return [...byFirst.values()].sort((a, b) => a.first - b.first);
}

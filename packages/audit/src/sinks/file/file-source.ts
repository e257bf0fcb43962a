import { lineSequence } from '../../chain/line-fields.ts';
import type { Anchor, AuditSource, ReadRange, StoredCheckpoint } from '../sink.ts';
import { storedAnchor, storedCheckpoint, storedJson } from '../stored-state.ts';
import { type FilePort, nodeFiles, readWhole } from './file-port.ts';
import { backwardLines, forwardLines } from './segment-lines.ts';
import { listSegments, type Segment } from './segments.ts';

/** Stores the anchor of the log after retention. */
export const ANCHOR_FILE = 'anchor.json';
/** Stores one checkpoint per line. */
export const CHECKPOINT_FILE = 'checkpoints.jsonl';

/** Reads a log of {@link fileSink}, also while it is being written. */
export class FileSource implements AuditSource {
  readonly name: string;
  readonly #directory: string;
  readonly #files: FilePort;

  constructor(directory: string, name: string = directory, files: FilePort = nodeFiles) {
    this.name = name;
    this.#directory = directory;
    this.#files = files;
  }

  async *read(range: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    const { reverse = false } = range;
    const from = Math.max(range.from ?? 0, ((await this.anchor())?.sequence ?? 0) + 1);
    const to = range.to ?? Number.POSITIVE_INFINITY;
    const segments = await listSegments(this.#files, this.#directory);
    const order = reverse ? segments.toReversed() : segments;
    const within = rangeTest(from === 1 ? 0 : from, to);
    for (const segment of order) {
      const index = segments.indexOf(segment);
      // A segment ends where the next one begins.
      if ((segments[index + 1]?.first ?? Number.POSITIVE_INFINITY) <= from || segment.first > to)
        continue;
      for await (const lines of this.#lines(segment, index === segments.length - 1, reverse)) {
        const wanted = within === undefined ? lines : lines.filter(within);
        if (wanted.length > 0) yield wanted;
      }
    }
  }

  async *#lines(
    segment: Segment,
    isLast: boolean,
    reverse: boolean,
  ): AsyncGenerator<readonly string[], void, undefined> {
    const lines = reverse ? backwardLines : forwardLines;
    try {
      yield* lines(this.#files, this.#directory, segment, isLast);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || segment.compressed) throw error;
      // The segment was compressed after the listing.
      const compressed = { ...segment, name: `${segment.name}.gz`, compressed: true };
      yield* lines(this.#files, this.#directory, compressed, isLast);
    }
  }

  async anchor(): Promise<Anchor | undefined> {
    const path = `${this.#directory}/${ANCHOR_FILE}`;
    const text = await readWhole(this.#files, path);
    if (text === undefined) return undefined;
    return storedAnchor(this.name, path, storedJson(this.name, path, text));
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const text = await readWhole(this.#files, `${this.#directory}/${CHECKPOINT_FILE}`);
    return (text ?? '')
      .split('\n')
      .flatMap((line) => parseCheckpointLine(line) ?? [])
      .sort((a, b) => a.size - b.size);
  }
}

/** Undefined for a partly written line: a crash may have left one. */
function parseCheckpointLine(line: string): StoredCheckpoint | undefined {
  try {
    return storedCheckpoint(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Tests whether a line is in a range, without parsing it. Lines without a sequence pass. */
function rangeTest(from: number, to: number): ((line: string) => boolean) | undefined {
  if (from <= 0 && to === Number.POSITIVE_INFINITY) return undefined;
  return (line) => {
    const sequence = lineSequence(line);
    return sequence === undefined || (sequence >= from && sequence <= to);
  };
}

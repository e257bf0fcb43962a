import { type ChainHead, checkLine } from '../../chain/hash-chain.ts';
import { AuditCorruptError } from '../../errors.ts';
import type { WritableFile } from './file-port.ts';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 64 * 1024;
/** No event is longer, whatever its limits. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** What the end of a segment looks like. */
export interface Tail {
  /** The last event; undefined when the segment has none. */
  readonly head: ChainHead | undefined;
  /** Bytes that belong to whole events. What lies behind them was torn by a crash. */
  readonly wholeBytes: number;
}

/** What {@link readTail} needs to read. */
export type TailFile = Pick<WritableFile, 'size'> & {
  read(position: number, length: number): Promise<Buffer>;
};

/**
 * Finds the last whole event of a segment.
 *
 * A process that is killed leaves the beginning of a line. A machine that loses power can also leave
 * blocks of zeros where data never reached the disk. Both lie behind everything that was ever
 * acknowledged, as that had been synced. A whole line that does not match its own hash is neither: it
 * was changed, and must be looked at rather than cut off.
 *
 * @throws {AuditCorruptError} when the last whole line is not what was written
 */
export async function readTail(file: TailFile, sink: string, path: string): Promise<Tail> {
  let end = file.size;
  while (end > 0) {
    const line = await lineBefore(file, end);
    if (line === undefined) {
      throw new AuditCorruptError(
        sink,
        path,
        undefined,
        'its end is no event, and not the beginning of one',
      );
    }
    const { text, start, whole } = line;
    if (whole) {
      const checked = checkLine(text);
      if (checked.fault === undefined) return { head: checked.event, wholeBytes: end };
      if (!text.includes('\0')) {
        const sequence = checked.fault === 'edited' ? checked.event.sequence : undefined;
        throw new AuditCorruptError(sink, path, sequence, `of its last event, ${checked.message}`);
      }
    }
    end = start;
  }
  return { head: undefined, wholeBytes: 0 };
}

interface LineBefore {
  readonly text: string;
  readonly start: number;
  /** Whether it ends in a newline. */
  readonly whole: boolean;
}

/** The line that ends at a position, and whether it is complete. */
async function lineBefore(file: TailFile, end: number): Promise<LineBefore | undefined> {
  let bytes: Buffer = Buffer.alloc(0);
  let start = end;
  while (start > 0 && bytes.length < MAX_LINE_BYTES) {
    const from = Math.max(0, start - CHUNK_BYTES);
    bytes = Buffer.concat([await file.read(from, start - from), bytes]);
    start = from;
    const whole = bytes.at(-1) === NEWLINE;
    const before = bytes.lastIndexOf(NEWLINE, whole ? -2 : -1);
    if (before < 0 && start > 0) continue;
    const text = bytes.toString('utf8', before + 1, whole ? bytes.length - 1 : bytes.length);
    return { text, start: start + before + 1, whole };
  }
  return undefined;
}

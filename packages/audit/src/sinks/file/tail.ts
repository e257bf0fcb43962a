import { type ChainHead, checkLine } from '../../chain/hash-chain.ts';
import { AuditCorruptError } from '../../errors.ts';
import type { WritableFile } from './file-port.ts';
import { MAX_LINE_BYTES } from './segments.ts';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 64 * 1024;

/** The end of a segment. */
export interface Tail {
  /** The last event; undefined if the segment is empty. */
  readonly head: ChainHead | undefined;
  /** Bytes of complete events. Bytes after them were torn by a crash. */
  readonly wholeBytes: number;
  /** Whether the last event lacks its newline. */
  readonly unended: boolean;
}

/** The file operations of {@link readTail}. */
export type TailFile = Pick<WritableFile, 'size'> & {
  read(position: number, length: number): Promise<Buffer>;
};

/**
 * Finds the last complete event of a segment.
 *
 * A killed process can leave a partly written line, and a loss of power can leave blocks of zeros.
 * Both come after all acknowledged events, because those were synced. A complete line that does not
 * match its hash was modified, and text that is not the beginning of an event is somebody else's: both
 * are reported and not removed.
 *
 * @throws {AuditCorruptError} if the last complete line does not match its hash, or is followed by text
 *   that the log did not write
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
        'its end is neither an event nor the beginning of one',
      );
    }
    const { text, start, whole } = line;
    const checked = checkLine(text);
    if (checked.fault === undefined) {
      return { head: checked.event, wholeBytes: end, unended: !whole };
    }
    if (whole && !text.includes('\0')) {
      const sequence = checked.fault === 'edited' ? checked.event.sequence : undefined;
      throw new AuditCorruptError(
        sink,
        path,
        sequence,
        `the last event is invalid: ${checked.message}`,
      );
    }
    if (!isTorn(text)) {
      throw new AuditCorruptError(sink, path, undefined, 'it ends with text that is not an event');
    }
    end = start;
  }
  return { head: undefined, wholeBytes: 0, unended: false };
}

/** How every event begins. */
const BEGINNING = '{"action":"';

/** Whether text can be what a crash has left of an event: its beginning, and zeros. */
function isTorn(text: string): boolean {
  const written = text.slice(0, BEGINNING.length).split('\0', 1)[0] as string;
  return BEGINNING.startsWith(written);
}

interface LineBefore {
  readonly text: string;
  readonly start: number;
  /** Whether the line ends with a newline. */
  readonly whole: boolean;
}

/** The line that ends at a position; undefined if it is longer than an event can be. */
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

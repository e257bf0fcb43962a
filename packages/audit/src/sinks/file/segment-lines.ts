import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@temper/core/policy';
import { AuditCorruptError } from '../../errors.ts';
import type { FilePort, ReadableFile } from './file-port.ts';
import { reversed } from './reversed-lines.ts';
import { MAX_LINE_BYTES, type Segment } from './segments.ts';

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The lines of a segment, in batches. A last line without a newline is being written or was torn by a
 * crash: it is omitted in the last segment, and returned in any other, where it is a fault.
 *
 * @throws {AuditCorruptError} if a line is longer than an event can be
 */
export async function* forwardLines(
  files: FilePort,
  directory: string,
  segment: Segment,
  isLast: boolean,
): AsyncGenerator<readonly string[], void, undefined> {
  const file = await files.openToRead(`${directory}/${segment.name}`);
  try {
    yield* linesIn(file, directory, segment, isLast);
  } finally {
    await file.close();
  }
}

async function* linesIn(
  file: ReadableFile,
  directory: string,
  segment: Segment,
  isLast: boolean,
): AsyncGenerator<readonly string[], void, undefined> {
  const chunks = segment.compressed ? gunzipped(file, directory, segment) : rawChunks(file);
  yield* splitLines(chunks, !isLast, () => {
    throw tooLong(directory, segment);
  });
}

/**
 * Splits text into lines, in batches.
 *
 * @param rest - whether a last line without a newline is returned
 * @param onLong - called when a line is longer than an event can be; throws
 */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  rest: boolean,
  onLong: () => never,
): AsyncGenerator<readonly string[], void, undefined> {
  let begun: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const joined = begun.length === 0 ? chunk : Buffer.concat([begun, chunk]);
    const end = joined.lastIndexOf(NEWLINE);
    if (end >= 0) yield joined.toString('utf8', 0, end).split('\n');
    begun = joined.subarray(end + 1);
    if (begun.length > MAX_LINE_BYTES) onLong();
  }
  if (begun.length > 0 && rest) yield [begun.toString()];
}

/** The same lines in reverse order. */
export async function* backwardLines(
  files: FilePort,
  directory: string,
  segment: Segment,
  isLast: boolean,
): AsyncGenerator<readonly string[], void, undefined> {
  const file = await files.openToRead(`${directory}/${segment.name}`);
  try {
    if (segment.compressed) {
      yield* reversed(() => linesIn(file, directory, segment, isLast));
      return;
    }
    let rest: Buffer = Buffer.alloc(0);
    let torn = isLast;
    for (let end = file.size; end > 0; ) {
      const start = Math.max(0, end - CHUNK_BYTES);
      let joined: Buffer = Buffer.concat([await file.read(start, end - start), rest]);
      end = start;
      if (torn) {
        const whole = joined.lastIndexOf(NEWLINE);
        if (whole < 0 && start > 0) {
          rest = joined;
          checkLength(rest, directory, segment);
          continue;
        }
        joined = joined.subarray(0, whole + 1);
        torn = false;
      }
      const first = start === 0 ? -1 : joined.indexOf(NEWLINE);
      if (start > 0 && first < 0) {
        rest = joined;
        checkLength(rest, directory, segment);
        continue;
      }
      rest = joined.subarray(0, first + 1);
      const text = joined.toString('utf8', first + 1, withoutNewline(joined));
      if (joined.length > first + 1) yield text.split('\n').reverse();
    }
  } finally {
    await file.close();
  }
}

/** @throws {AuditCorruptError} if a part of a line is longer than an event can be */
function checkLength(part: Buffer, directory: string, segment: Segment): void {
  if (part.length > MAX_LINE_BYTES) throw tooLong(directory, segment);
}

function tooLong(directory: string, { name }: Segment): AuditCorruptError {
  const what = 'it has a line that is longer than an event can be';
  return new AuditCorruptError('file', `${directory}/${name}`, undefined, what);
}

function withoutNewline(bytes: Buffer): number {
  return bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length;
}

async function* gunzipped(
  file: ReadableFile,
  directory: string,
  { name }: Segment,
): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // Errors of either stream end the loop below, so the callback has nothing to do.
  pipeline(Readable.from(rawChunks(file)), gunzip, () => undefined);
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    const what = `it cannot be decompressed: ${messageOf(error)}`;
    throw new AuditCorruptError('file', `${directory}/${name}`, undefined, what);
  }
}

/** The bytes of a file, in chunks. */
export async function* rawChunks(file: ReadableFile): AsyncGenerator<Buffer, void, undefined> {
  for (let position = 0; ; ) {
    const chunk = await file.read(position, CHUNK_BYTES);
    if (chunk.length === 0) return;
    position += chunk.length;
    yield chunk;
  }
}

import type { Readable } from 'node:stream';

/** Size of the blocks that a tar file consists of. */
const BLOCK = 512;
/** The largest size that a header of ustar has: eleven octal digits. */
const MAX_FILE_BYTES = 8 ** 11 - 1;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;

/**
 * The header of a regular file in a tar archive. Everything but name and size is fixed, so that there is one
 * archive for one content.
 *
 * @throws {RangeError} if the file is larger than 8 GiB
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
 */
export function fileHeader(name: string, size: number): Buffer {
  if (!(size >= 0 && size <= MAX_FILE_BYTES)) {
    throw new RangeError('An evidence bundle has at most 8 GiB of events; choose a smaller range.');
  }
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number): void => {
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  header.write(name, 0, 100, 'latin1');
  octal(0o644, 100, 7); // mode
  octal(0, 108, 7); // owner
  octal(0, 116, 7); // group
  octal(size, SIZE_AT, 11);
  octal(0, 136, 11); // time of modification
  header.write('        ', CHECKSUM_AT, 'latin1');
  header.write('0', 156, 'latin1'); // a regular file
  header.write('ustar\u000000', 257, 'latin1');
  octal(0, 329, 7); // device
  octal(0, 337, 7);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT, 'latin1');
  return header;
}

/** The zeros after the content of a file. */
export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The two empty blocks at the end of an archive. */
export const ARCHIVE_END: Buffer = Buffer.alloc(2 * BLOCK);

/** Why an archive is refused. */
export class ArchiveError extends Error {}

/**
 * Reads an archive that {@link fileHeader} and {@link padding} have made, from a stream, in memory that does
 * not grow with it. Links, other kinds of files, other names, extensions, repeated files and everything else
 * that a header can say are refused, because a header has to be the one that would be written.
 */
export class ArchiveReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #maxBytes: number;
  #rest: Buffer = Buffer.alloc(0);
  #left: number;

  /** @param maxBytes - largest size of the archive without compression */
  constructor(stream: Readable, maxBytes: number) {
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#maxBytes = maxBytes;
    this.#left = maxBytes;
  }

  /** Begins the next file, which must have this name, and returns its size. */
  async begin(name: string): Promise<number> {
    const header = await this.#take(BLOCK);
    const digits = header.toString('latin1', SIZE_AT, SIZE_AT + 11);
    const size = /^[0-7]{11}$/.test(digits) ? Number.parseInt(digits, 8) : -1;
    if (size < 0 || !fileHeader(name, size).equals(header)) {
      throw new ArchiveError(`it does not have the file ${name} in its place`);
    }
    if (size > this.#left) throw this.#tooLarge();
    return size;
  }

  /** The content of the file that was begun. */
  async *content(size: number): AsyncGenerator<Buffer, void, undefined> {
    for (let left = size; left > 0; ) {
      const chunk = await this.#some(left);
      left -= chunk.length;
      yield chunk;
    }
    const zeros = padding(size);
    if (!(await this.#take(zeros.length)).equals(zeros)) {
      throw new ArchiveError('it has bytes after a file that are not of the file');
    }
  }

  /** The end of the archive: nothing may follow. */
  async end(): Promise<void> {
    const end = await this.#take(ARCHIVE_END.length);
    const more = this.#rest.length > 0 || (await this.#chunks.next()).done !== true;
    if (more || !end.equals(ARCHIVE_END)) throw new ArchiveError('it has more than two files');
  }

  /** Stops reading. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Between one byte and `max`. */
  async #some(max: number): Promise<Buffer> {
    if (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done === true) throw new ArchiveError('it ends too early');
      this.#left -= value.length;
      if (this.#left < 0) throw this.#tooLarge();
      this.#rest = value;
    }
    const some = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(some.length);
    return some;
  }

  async #take(size: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = size; left > 0; left -= (parts.at(-1) as Buffer).length) {
      parts.push(await this.#some(left));
    }
    return Buffer.concat(parts);
  }

  #tooLarge(): ArchiveError {
    return new ArchiveError(`it has more than ${this.#maxBytes} bytes without compression`);
  }
}

import { randomUUID } from 'node:crypto';
import { reportCallbackError } from '@temper/core/policy';
import {
  type ChainHead,
  checkLine,
  EMPTY_HEAD,
  parseLine,
  type SealedEvent,
} from '../../chain/hash-chain.ts';
import { AuditCorruptError, AuditLockedError } from '../../errors.ts';
import { createPrivate } from '../real-path.ts';
import type {
  AuditSink,
  AuditSource,
  Retirable,
  SinkRecovery,
  SinkState,
  StoredCheckpoint,
} from '../sink.ts';
import { WriterLock } from '../writer-lock.ts';
import { type FilePort, readWhole, replaceFile, type WritableFile } from './file-port.ts';
import {
  type FileSinkOptions,
  type ResolvedFileSinkOptions,
  resolveFileSinkOptions,
} from './file-sink-options.ts';
import { CHECKPOINT_FILE, FileSource } from './file-source.ts';
import {
  checkpointLine,
  compressSegment,
  dropRetired,
  dropUnfinished,
  retirableEvents,
  retireSegments,
  uncompressedSegments,
} from './segment-retention.ts';
import { listSegments, type Segment, segmentName } from './segments.ts';
import { readTail } from './tail.ts';

/**
 * Creates a sink that stores events in files of JSON lines.
 *
 * A batch is one write and one fdatasync. Files are rotated by size and age; compression and removal
 * run in the background.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link FileSinkOptions}
 */
export function fileSink(options: FileSinkOptions): AuditSink & { readonly source: AuditSource } {
  return new FileSink(resolveFileSinkOptions(options));
}

/** Names the writer that has opened the log last; no other may write. */
const WRITER_FILE = 'writer';

/** The open file. */
interface Current {
  readonly path: string;
  readonly file: WritableFile;
  readonly segment: Segment;
  /** Wall time of its first event, or, if it is empty, of its opening. */
  readonly begunAt: number;
}

class FileSink implements AuditSink {
  readonly name: string;
  readonly durable = true;
  readonly source: FileSource;
  readonly #options: ResolvedFileSinkOptions;
  #lock: WriterLock | undefined;
  readonly #token: string = randomUUID();
  #current: Current | undefined;
  /** Durable bytes of the current file. */
  #durableBytes = 0;
  /** Bytes of a write that has not been acknowledged. */
  #attempt: Buffer = Buffer.alloc(0);
  #head: ChainHead = EMPTY_HEAD;
  /** Compression and retention, run one after the other. */
  #background: Promise<void> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  #rotated = true;

  constructor(options: ResolvedFileSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.source = new FileSource(options.directory, options.name, options.files);
  }

  async open(): Promise<SinkState> {
    const { files, directory } = this.#options;
    // Another program may have got a lock too, for example by removing the file of the lock. Whoever
    // takes it anew finds out.
    this.#lock?.release();
    this.#lock = undefined;
    if (this.#head.sequence === 0) await files.makeDirectory(directory);
    const path = `${await files.realPath(directory)}/lock`;
    await createPrivate(path);
    this.#lock = new WriterLock(this.name, directory, path);
    const current = this.#current;
    if (current !== undefined) await this.#undo(current);
    else await this.#tidy();
    await replaceFile(files, directory, WRITER_FILE, this.#token);
    const segments = await listSegments(files, directory);
    const last = segments.at(-1);
    if (last !== undefined && !last.compressed) return this.#goOn(last, segments);
    this.#setHead(await this.#lastBefore(segments.length, segments));
    await this.#begin();
    return { head: this.#head };
  }

  /** Removes what an earlier process could not remove before it ended. */
  async #tidy(): Promise<void> {
    const { files, directory } = this.#options;
    await dropUnfinished(files, directory);
    const anchor = await this.source.anchor();
    if (anchor !== undefined) await dropRetired(files, directory, anchor);
  }

  /** @throws {AuditCorruptError} if events that this sink has stored are gone */
  #setHead(found: ChainHead): void {
    if (found.sequence < this.#head.sequence) {
      throw this.#corrupt(
        found.sequence + 1,
        `events up to ${this.#head.sequence} were stored and are missing`,
      );
    }
    this.#head = found;
  }

  #corrupt(sequence: number, what: string, location = this.#options.directory): AuditCorruptError {
    return new AuditCorruptError(this.name, location, sequence, what);
  }

  /**
   * After a failed write: truncates the file to its durable bytes.
   *
   * @throws {AuditCorruptError} if there is anything after them but the failed write
   */
  async #undo({ file, path }: Current): Promise<void> {
    const { files } = this.#options;
    const state = await files.stateOf(path);
    const sequence = this.#head.sequence + 1;
    if (state?.identity !== file.identity) {
      throw this.#corrupt(sequence, 'the file was renamed, replaced or removed', path);
    }
    const reader = await files.openToRead(path);
    const rest = await reader
      .read(this.#durableBytes, Math.max(0, reader.size - this.#durableBytes))
      .finally(() => reader.close());
    const ours = this.#attempt.subarray(0, rest.length).equals(rest);
    if (state.size < this.#durableBytes || !ours) {
      throw this.#corrupt(sequence, 'another program has changed the file', path);
    }
    await file.truncate(this.#durableBytes);
    await file.sync();
    await file.close();
    this.#current = undefined;
  }

  async #goOn(segment: Segment, segments: readonly Segment[]): Promise<SinkState> {
    const { files, directory, clock } = this.#options;
    const path = `${directory}/${segment.name}`;
    const reader = await files.openToRead(path);
    const tail = await readTail(reader, this.name, path).finally(() => reader.close());
    this.#setHead(tail.head ?? (await this.#lastBefore(segments.length - 1, segments)));
    const file = await files.openToAppend(path);
    try {
      const tornBytes = file.size - tail.wholeBytes;
      if (tornBytes > 0) await file.truncate(tail.wholeBytes);
      if (tail.unended) await file.append(Buffer.from('\n'));
      // Writes of an earlier process may not be on disk yet.
      await file.sync();
      const begunAt = await this.#begunAt(segment);
      this.#current = { path, file, segment, begunAt: begunAt ?? clock.now() };
      this.#durableBytes = file.size;
      this.#attempt = Buffer.alloc(0);
      const recovered: SinkRecovery | undefined =
        tornBytes > 0 ? { tornBytes, location: path } : undefined;
      return { head: this.#head, recovered };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #begunAt(segment: Segment): Promise<number | undefined> {
    for await (const [line] of this.source.read({ from: segment.first, to: segment.first })) {
      if (line !== undefined) return Date.parse(parseLine(line).timestamp);
    }
    return undefined;
  }

  /** The last event of the closed segments before the one at `index`. */
  async #lastBefore(index: number, segments: readonly Segment[]): Promise<ChainHead> {
    const before = segments[index - 1];
    if (before === undefined) return (await this.source.anchor()) ?? EMPTY_HEAD;
    const next = segments[index]?.first ?? Number.MAX_SAFE_INTEGER;
    for await (const [line] of this.source.read({
      from: before.first,
      to: next - 1,
      reverse: true,
    })) {
      const checked = checkLine(line as string);
      if (checked.fault === undefined) return checked.event;
      const path = `${this.#options.directory}/${before.name}`;
      throw new AuditCorruptError(this.name, path, undefined, checked.message);
    }
    return (await this.source.anchor()) ?? EMPTY_HEAD;
  }

  /** Starts a new file after the head. */
  async #begin(): Promise<void> {
    const { files, directory, clock } = this.#options;
    const name = segmentName(this.#head.sequence + 1);
    const path = `${directory}/${name}`;
    const file = await files.create(path);
    try {
      await files.syncDirectory(directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    const segment = { name, first: this.#head.sequence + 1, compressed: false };
    this.#current = { path, file, segment, begunAt: clock.now() };
    this.#durableBytes = 0;
    this.#attempt = Buffer.alloc(0);
  }

  async write(batch: readonly SealedEvent[]): Promise<void> {
    await this.#rotateIfDue();
    const { file, path } = this.#opened();
    let text = '';
    for (const { line } of batch) text += `${line}\n`;
    this.#attempt = Buffer.from(text);
    await file.append(this.#attempt);
    await file.sync();
    await this.#checkOurs(file, path, this.#durableBytes + this.#attempt.length);
    this.#durableBytes = file.size;
    this.#head = (batch[batch.length - 1] as SealedEvent).event;
  }

  /** Looks at the files only after a rotation, until there is nothing to remove. */
  async retirable({ byAge = true } = {}): Promise<Retirable | undefined> {
    if (!this.#rotated) return undefined;
    const { files, directory, maxSegments, maxAgeMs, clock } = this.#options;
    const retention = { maxSegments, maxAgeMs: byAge ? maxAgeMs : Number.POSITIVE_INFINITY };
    const found = await retirableEvents(files, directory, this.source, retention, clock);
    if (found === undefined) this.#rotated = false;
    return found;
  }

  retire(last: ChainHead): Promise<void> {
    return this.#inBackground(async () => {
      const { files, directory } = this.#options;
      await retireSegments(files, directory, this.source, last);
    });
  }

  /**
   * Events in a file without its name are lost, and events of two writers in one file are no chain. So a
   * batch is acknowledged only if the file is the one that was opened, has what was written and nothing
   * else, and no other writer has opened the log before the batch was on disk.
   */
  async #checkOurs(file: WritableFile, path: string, size: number): Promise<void> {
    const { files, directory } = this.#options;
    const [state, token] = await Promise.all([
      files.stateOf(path),
      readWhole(files, `${directory}/${WRITER_FILE}`),
    ]);
    const sequence = this.#head.sequence + 1;
    if (state?.identity !== file.identity) {
      throw this.#corrupt(sequence, 'the file was renamed, replaced or removed', path);
    }
    if (token !== undefined && token !== this.#token) {
      throw new AuditLockedError(this.name, directory);
    }
    if (state.size !== size) {
      throw this.#corrupt(sequence, 'another program has changed the file', path);
    }
    if (token === undefined) throw this.#corrupt(sequence, `its file '${WRITER_FILE}' was removed`);
  }

  async #rotateIfDue(): Promise<void> {
    const { maxSegmentBytes, maxSegmentAgeMs, clock } = this.#options;
    const { file, path, begunAt } = this.#opened();
    if (file.size === 0) return;
    if (file.size < maxSegmentBytes && clock.now() - begunAt < maxSegmentAgeMs) return;
    // A file that is gone must not be left behind for the next one.
    await this.#checkOurs(file, path, this.#durableBytes);
    await this.#begin();
    await file.close();
    this.#rotated = true;
    this.#inBackground(() => this.#compress()).catch((error) =>
      reportCallbackError(this.name, 'background work', error),
    );
  }

  #inBackground(work: () => Promise<void>): Promise<void> {
    const done = this.#background.then(work);
    this.#background = done.catch(() => undefined);
    return done;
  }

  async #compress(): Promise<void> {
    const { files, directory, gzip } = this.#options;
    if (!gzip) return;
    for (const segment of await uncompressedSegments(files, directory)) {
      await compressSegment(files, directory, segment);
    }
  }

  /** Not behind the compression, so that a checkpoint does not wait for it. */
  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    const done = this.#saving.then(() => this.#saveCheckpoint(checkpoint));
    this.#saving = done.catch(() => undefined);
    return done;
  }

  async #saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    const { files, directory } = this.#options;
    const path = `${directory}/${CHECKPOINT_FILE}`;
    const exists = (await files.stateOf(path)) !== undefined;
    const file = exists ? await files.openToAppend(path) : await files.create(path);
    try {
      const begun = exists && !(await endsWithNewline(files, path));
      await file.append(Buffer.from(`${begun ? '\n' : ''}${checkpointLine(checkpoint)}`));
      await file.sync();
    } finally {
      await file.close();
    }
    if (!exists) await files.syncDirectory(directory);
  }

  #opened(): Current {
    if (this.#current === undefined) throw new TypeError(`Sink '${this.name}' is not open.`);
    return this.#current;
  }

  async close(): Promise<void> {
    await Promise.all([this.#background, this.#saving]);
    await this.#current?.file.close();
    this.#current = undefined;
    this.#lock?.release();
    this.#lock = undefined;
  }
}

/** False if an earlier process has left a partly written line. */
async function endsWithNewline(files: FilePort, path: string): Promise<boolean> {
  const file = await files.openToRead(path);
  try {
    return file.size === 0 || (await file.read(file.size - 1, 1))[0] === 0x0a;
  } finally {
    await file.close();
  }
}

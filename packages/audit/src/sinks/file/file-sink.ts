import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type Resolved,
  reportCallbackError,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import {
  type ChainHead,
  checkLine,
  EMPTY_HEAD,
  parseLine,
  type SealedEvent,
} from '../../chain/hash-chain.ts';
import { AuditCorruptError } from '../../errors.ts';
import { textRule } from '../../option-rules.ts';
import type {
  AuditSink,
  AuditSource,
  SinkRecovery,
  SinkState,
  SinkWriteResult,
  StoredCheckpoint,
} from '../sink.ts';
import { WriterLock } from '../writer-lock.ts';
import { type FilePort, nodeFiles, type WritableFile } from './file-port.ts';
import { CHECKPOINT_FILE, FileSource } from './file-source.ts';
import {
  checkpointLine,
  compressSegment,
  dropBelow,
  removeOldSegments,
  uncompressedSegments,
} from './segment-retention.ts';
import { listSegments, type Segment, segmentName } from './segments.ts';
import { readTail } from './tail.ts';

/** Options of {@link fileSink}. */
export interface FileSinkOptions {
  /** Directory of the files. Created with mode 0700 if it does not exist. */
  readonly directory: string;
  /** @defaultValue 'file' */
  readonly name?: string;
  /**
   * Size at which a file is closed and a new one is started, in bytes.
   *
   * @defaultValue 33_554_432
   * @throws {RangeError} at construction, unless an integer from 1_024 to 1_073_741_824
   */
  readonly maxSegmentBytes?: number;
  /**
   * Age at which a file is closed and a new one is started with the next event, in milliseconds.
   *
   * @defaultValue 86_400_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly maxSegmentAgeMs?: number;
  /** Whether closed files are compressed in the background. @defaultValue true */
  readonly gzip?: boolean;
  /**
   * Maximum number of files, the open one included.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless an integer >= 2 (`Infinity` allowed)
   */
  readonly maxSegments?: number;
  /**
   * Closed files whose events are all older than this are removed, in milliseconds.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly maxAgeMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** The file system. @defaultValue the local file system */
  readonly files?: FilePort;
}

type Defaulted = Defaults<FileSinkOptions, 'directory'>;
type ResolvedFileSinkOptions = Resolved<FileSinkOptions, 'directory'> & FileSinkOptions;

/** The defaults of {@link FileSinkOptions}, as the README's table shows them. */
export const FILE_SINK_DEFAULTS: Omit<Defaulted, 'clock' | 'files'> = {
  name: 'file',
  maxSegmentBytes: 33_554_432,
  maxSegmentAgeMs: 86_400_000,
  gzip: true,
  maxSegments: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
};

const OWNER = 'fileSink';

/**
 * Creates a sink that stores events in files of JSON lines.
 *
 * A batch is one write and one fdatasync. Files are rotated by size and age; compression and removal
 * run in the background.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link FileSinkOptions}
 */
export function fileSink(options: FileSinkOptions): AuditSink & { readonly source: AuditSource } {
  const all = resolveOptions<FileSinkOptions, 'directory'>(
    OWNER,
    options,
    { ...FILE_SINK_DEFAULTS, clock: systemClock, files: nodeFiles },
    {
      directory: textRule,
      name: nameRule,
      maxSegmentBytes: numberRule({ min: 1_024, max: 2 ** 30, integer: true }),
      maxSegmentAgeMs: numberRule({ min: 1 }),
      gzip: typeRule('boolean'),
      maxSegments: numberRule({ min: 2, integer: true }),
      maxAgeMs: numberRule({ min: 1 }),
      clock: clockRule,
      files: typeRule('object'),
    },
  );
  textRule(OWNER, 'directory', all.directory);
  return new FileSink(all as ResolvedFileSinkOptions);
}

/** The open file. */
interface Current {
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
  #current: Current | undefined;
  /** Durable bytes of the current file. */
  #durableBytes = 0;
  #head: ChainHead = EMPTY_HEAD;
  /** Compression, retention and checkpoints, run one after the other. */
  #background: Promise<void> = Promise.resolve();
  #result: SinkWriteResult | undefined;

  constructor(options: ResolvedFileSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.source = new FileSource(options.directory, options.name, options.files);
  }

  async open(): Promise<SinkState> {
    const { files, directory } = this.#options;
    if (this.#lock === undefined) {
      await files.makeDirectory(directory);
      this.#lock = new WriterLock(this.name, directory, `${directory}/lock`);
    }
    if (this.#current !== undefined) await this.#undo(this.#current);
    else await dropBelow(files, directory, (await this.source.anchor())?.sequence ?? 0);
    const segments = await listSegments(files, directory);
    const last = segments.at(-1);
    if (last === undefined || last.compressed) {
      this.#head = await this.#lastBefore(segments.length, segments);
      await this.#begin();
      return { head: this.#head };
    }
    return this.#goOn(last, segments);
  }

  /** After a failed write: truncates the file to its durable bytes. */
  async #undo({ file }: Current): Promise<void> {
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
    const file = await files.openToAppend(path);
    try {
      const tornBytes = file.size - tail.wholeBytes;
      if (tornBytes > 0) await file.truncate(tail.wholeBytes);
      // Writes of an earlier process may not be on disk yet.
      await file.sync();
      this.#head = tail.head ?? (await this.#lastBefore(segments.length - 1, segments));
      const begunAt = await this.#begunAt(segment);
      this.#current = { file, segment, begunAt: begunAt ?? clock.now() };
      this.#durableBytes = tail.wholeBytes;
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
      throw new AuditCorruptError(
        this.name,
        `${this.#options.directory}/${before.name}`,
        undefined,
        checked.message,
      );
    }
    return (await this.source.anchor()) ?? EMPTY_HEAD;
  }

  /** Starts a new file after the head. */
  async #begin(): Promise<void> {
    const { files, directory, clock } = this.#options;
    const name = segmentName(this.#head.sequence + 1);
    const file = await files.create(`${directory}/${name}`);
    try {
      await files.syncDirectory(directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    const segment = { name, first: this.#head.sequence + 1, compressed: false };
    this.#current = { file, segment, begunAt: clock.now() };
    this.#durableBytes = 0;
  }

  async write(batch: readonly SealedEvent[]): Promise<SinkWriteResult | undefined> {
    await this.#rotateIfDue();
    const { file } = this.#opened();
    let text = '';
    for (const { line } of batch) text += `${line}\n`;
    await file.append(Buffer.from(text));
    await file.sync();
    this.#durableBytes = file.size;
    this.#head = (batch[batch.length - 1] as SealedEvent).event;
    const result = this.#result;
    this.#result = undefined;
    return result;
  }

  async #rotateIfDue(): Promise<void> {
    const { maxSegmentBytes, maxSegmentAgeMs, clock } = this.#options;
    const { file, begunAt } = this.#opened();
    if (file.size === 0) return;
    if (file.size < maxSegmentBytes && clock.now() - begunAt < maxSegmentAgeMs) return;
    await this.#begin();
    await file.close();
    this.#runInBackground(() => this.#retireAndCompress());
  }

  #runInBackground(work: () => Promise<void>): Promise<void> {
    const done = this.#background.then(work);
    this.#background = done.catch((error) =>
      reportCallbackError(this.name, 'background work', error),
    );
    return done;
  }

  async #retireAndCompress(): Promise<void> {
    const { files, directory, gzip, maxSegments, maxAgeMs, clock } = this.#options;
    const retention = { maxSegments, maxAgeMs };
    this.#result =
      (await removeOldSegments(files, directory, this.source, retention, clock)) ?? this.#result;
    if (!gzip) return;
    for (const segment of await uncompressedSegments(files, directory)) {
      await compressSegment(files, directory, segment);
    }
  }

  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    return this.#runInBackground(async () => {
      const { files, directory } = this.#options;
      const path = `${directory}/${CHECKPOINT_FILE}`;
      const exists = (await files.list(directory)).includes(CHECKPOINT_FILE);
      const file = exists ? await files.openToAppend(path) : await files.create(path);
      try {
        // After the last newline there may be a partly written line of an earlier process.
        const whole = exists ? await wholeLines(files, path) : 0;
        if (whole < file.size) await file.truncate(whole);
        await file.append(Buffer.from(checkpointLine(checkpoint)));
        await file.sync();
      } finally {
        await file.close();
      }
      if (!exists) await files.syncDirectory(directory);
    });
  }

  #opened(): Current {
    if (this.#current === undefined) throw new TypeError(`Sink '${this.name}' is not open.`);
    return this.#current;
  }

  async close(): Promise<void> {
    await this.#background;
    await this.#current?.file.close();
    this.#current = undefined;
    this.#lock?.release();
    this.#lock = undefined;
  }
}

async function wholeLines(files: FilePort, path: string): Promise<number> {
  const file = await files.openToRead(path);
  try {
    return (await file.read(0, file.size)).lastIndexOf(0x0a) + 1;
  } finally {
    await file.close();
  }
}

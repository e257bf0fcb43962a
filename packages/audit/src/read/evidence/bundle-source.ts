import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@temper/core/policy';
import { parseCheckpoint } from '../../chain/checkpoint.ts';
import { lineSequence } from '../../chain/line-fields.ts';
import { AuditCorruptError } from '../../errors.ts';
import { reversed } from '../../sinks/file/reversed-lines.ts';
import { splitLines } from '../../sinks/file/segment-lines.ts';
import type { Anchor, AuditSource, ReadRange, StoredCheckpoint } from '../../sinks/sink.ts';
import { ArchiveError, ArchiveReader } from './archive.ts';
import { BUNDLE_FILES } from './evidence-bundle.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.ts';

/** Reads an evidence bundle as a part of a log. Nothing is written to disk. */
export class BundleSource implements AuditSource {
  readonly name: string;
  readonly partial = true;
  readonly #path: string;
  readonly #maxBytes: number;
  #manifest: Promise<Manifest> | undefined;

  /** @param maxBytes - largest size without compression */
  constructor(path: string, maxBytes: number) {
    this.name = basename(path);
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** @throws {AuditCorruptError} if the file is not a bundle, or is damaged */
  manifest(): Promise<Manifest> {
    this.#manifest ??= this.#readManifest();
    return this.#manifest;
  }

  async #readManifest(): Promise<Manifest> {
    await using archive = this.#open();
    return this.#guarded(() => manifestOf(archive.reader));
  }

  async *read(range: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    const { from = 0, to = Number.POSITIVE_INFINITY, reverse = false } = range;
    const all = (): AsyncIterable<readonly string[]> => this.#lines();
    for await (const batch of reverse ? reversed(all) : all()) {
      const wanted = batch.filter((line) => {
        const sequence = lineSequence(line);
        return sequence === undefined || (sequence >= from && sequence <= to);
      });
      if (wanted.length > 0) yield wanted;
    }
  }

  async *#lines(): AsyncGenerator<readonly string[], void, undefined> {
    await using archive = this.#open();
    const { reader } = archive;
    try {
      await manifestOf(reader);
      const size = await reader.begin(BUNDLE_FILES.events);
      yield* splitLines(reader.content(size), true, () => {
        throw new ArchiveError('it has a line that is longer than an event can be');
      });
      await reader.end();
    } catch (error) {
      throw this.#corrupt(error);
    }
  }

  #open(): AsyncDisposable & { readonly reader: ArchiveReader } {
    const gunzip = createGunzip({ chunkSize: 256 * 1024 });
    // Errors of either stream end the reading, so the callback has nothing to do.
    pipeline(createReadStream(this.#path), gunzip, () => undefined);
    const reader = new ArchiveReader(gunzip, this.#maxBytes);
    return { reader, [Symbol.asyncDispose]: () => reader.close() };
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#corrupt(error);
    }
  }

  /** What is wrong with the content of the file; other errors as they are. */
  #corrupt(error: unknown): unknown {
    const isZlib = String((error as NodeJS.ErrnoException).code).startsWith('Z_');
    if (!isZlib && !(error instanceof ArchiveError)) return error;
    const what = isZlib ? `it cannot be decompressed: ${messageOf(error)}` : messageOf(error);
    return new AuditCorruptError('evidence', this.name, undefined, what);
  }

  async anchor(): Promise<Anchor | undefined> {
    return (await this.manifest()).before ?? undefined;
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const { checkpoints } = await this.manifest();
    return checkpoints.map((note) => ({ note, size: parseCheckpoint(note).size, frontier: [] }));
  }
}

async function manifestOf(reader: ArchiveReader): Promise<Manifest> {
  const size = await reader.begin(BUNDLE_FILES.manifest);
  if (size > MAX_MANIFEST_BYTES) throw new ArchiveError('its manifest is too large');
  const parts: Buffer[] = [];
  for await (const part of reader.content(size)) parts.push(part);
  const bytes = Buffer.concat(parts);
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw new ArchiveError('its manifest is not UTF-8');
  return parseManifest(text);
}

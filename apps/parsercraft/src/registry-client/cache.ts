import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Something kept, and since when. */
export interface CacheEntry {
  readonly fetchedAt: number;
  readonly etag: string | undefined;
  readonly value: unknown;
}

/** Where a registry client keeps what it got: documents by key, tarballs by checksum. */
export interface Cache {
  document(key: string): Promise<CacheEntry | undefined>;
  keepDocument(key: string, entry: CacheEntry): Promise<void>;
  /** The bytes kept under a checksum; the caller verifies them again. */
  tarball(integrity: string): Promise<Uint8Array | undefined>;
  keepTarball(integrity: string, bytes: Uint8Array): Promise<void>;
  clear(): Promise<void>;
}

/** Keeps the most recently used entries of each kind in memory. */
export function memoryCache(maxEntries = 500): Cache {
  const documents = new Recent<CacheEntry>(maxEntries);
  const tarballs = new Recent<Uint8Array>(maxEntries);
  return {
    document: async (key) => documents.get(key),
    keepDocument: async (key, entry) => documents.set(key, entry),
    tarball: async (integrity) => tarballs.get(integrity),
    keepTarball: async (integrity, bytes) => tarballs.set(integrity, bytes),
    clear: async () => {
      documents.clear();
      tarballs.clear();
    },
  };
}

/**
 * Keeps entries in a folder, across processes. A file is written aside and renamed, so a reader
 * sees a whole one or none; a file that cannot be read counts as missing. File names are
 * checksums of the keys: no key can choose a path.
 */
export function diskCache(folder: string): Cache {
  const pathOf = (kind: string, key: string): string =>
    join(folder, kind, createHash('sha256').update(key).digest('hex'));
  const read = async (path: string): Promise<Buffer | undefined> =>
    readFile(path).catch(() => undefined);
  const write = async (path: string, content: string | Uint8Array): Promise<void> => {
    const aside = `${path}.${randomUUID()}`;
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(aside, content);
    await rename(aside, path);
  };
  return {
    document: async (key) => parseEntry(await read(pathOf('documents', key))),
    keepDocument: (key, entry) => write(pathOf('documents', key), JSON.stringify(entry)),
    tarball: (integrity) => read(pathOf('tarballs', integrity)),
    keepTarball: (integrity, bytes) => write(pathOf('tarballs', integrity), bytes),
    clear: async () => {
      await rm(join(folder, 'documents'), { recursive: true, force: true });
      await rm(join(folder, 'tarballs'), { recursive: true, force: true });
    },
  };
}

function parseEntry(content: Buffer | undefined): CacheEntry | undefined {
  if (content === undefined) return undefined;
  try {
    const { fetchedAt, etag, value } = JSON.parse(content.toString('utf8'));
    if (typeof fetchedAt !== 'number') return undefined;
    return { fetchedAt, etag: typeof etag === 'string' ? etag : undefined, value };
  } catch {
    return undefined;
  }
}

/** A map that forgets what was not used for longest. */
class Recent<T> {
  readonly #entries = new Map<string, T>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): T | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  clear(): void {
    this.#entries.clear();
  }
}

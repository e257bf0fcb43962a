import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A cached document and its fetch time. */
export interface CacheEntry {
  readonly fetchedAt: number;
  readonly etag: string | undefined;
  readonly value: unknown;
}

/** Storage of a registry client: documents by key, tarballs by checksum. */
export interface Cache {
  document(key: string): Promise<CacheEntry | undefined>;
  keepDocument(key: string, entry: CacheEntry): Promise<void>;
  /** The tarball stored under a checksum. The caller verifies it again. */
  tarball(integrity: string): Promise<Uint8Array | undefined>;
  keepTarball(integrity: string, bytes: Uint8Array): Promise<void>;
  clear(): Promise<void>;
}

/** An in-memory LRU cache with at most `maxEntries` documents and as many tarballs. */
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
 * A cache in a folder that several processes can share. Files are written to a temporary name and
 * renamed, so a reader never sees a partial file. An unreadable file counts as missing. File names
 * are hashes of the keys, so a key cannot determine a path.
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

/** A map that evicts the least recently used entry. */
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

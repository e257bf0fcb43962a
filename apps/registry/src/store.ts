import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Manifest } from './manifest.ts';
import { migrate } from './schema.ts';
import type { TarballDigest } from './tarball.ts';

/** A published version without its tarball. */
export interface StoredVersion extends TarballDigest {
  readonly manifest: Manifest;
  readonly unpackedBytes: number;
  readonly fileCount: number;
  readonly publishedAt: string;
  readonly yanked: boolean;
  readonly yankedReason: string | undefined;
}

export interface VersionSummary {
  readonly version: string;
  readonly yanked: boolean;
}

/** A version to publish. */
export interface NewVersion extends TarballDigest {
  readonly manifest: Manifest;
  readonly tarball: Uint8Array;
  readonly unpackedBytes: number;
  readonly fileCount: number;
  readonly publishedAt: string;
}

interface VersionRow {
  readonly id: number;
  readonly manifest: string;
  readonly sha256: string;
  readonly integrity: string;
  readonly size_bytes: number;
  readonly unpacked_bytes: number;
  readonly file_count: number;
  readonly published_at: string;
  readonly yanked_at: string | null;
  readonly yanked_reason: string | null;
}

/** Primary result codes of SQLite for a database that another process has locked. */
const BUSY: readonly unknown[] = [5, 6];
/** Longest wait for a lock of another process, and between two tries, in milliseconds. */
const LOCK_WAIT_MS = 2_000;
const LOCK_RETRY_MS = 50;

/** Whether the database is locked by another process. */
export function isLocked(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  return (
    code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && BUSY.includes(errcode & 0xff)
  );
}

/**
 * Runs a change, again and again while another process has the database locked, for up to 2 s. Other
 * requests are served meanwhile.
 *
 * @throws the error of SQLite when it is still locked then
 */
export async function whenFree<T>(work: () => T): Promise<T> {
  const endsAt = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isLocked(error) || performance.now() > endsAt) throw error;
      await sleep(LOCK_RETRY_MS);
    }
  }
}

function prepareAll(database: DatabaseSync): Record<StatementName, StatementSync> {
  const prepared = {} as Record<StatementName, StatementSync>;
  for (const [name, sql] of Object.entries(SQL)) {
    prepared[name as StatementName] = database.prepare(sql);
  }
  return prepared;
}

const SQL = {
  insertVersion: `
    INSERT INTO version (name, version, manifest, sha256, integrity, size_bytes,
                         unpacked_bytes, file_count, published_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name, version) DO NOTHING`,
  insertTarball: 'INSERT INTO tarball (version_id, bytes) VALUES (?, ?)',
  find: 'SELECT * FROM version WHERE name = ? AND version = ?',
  list: 'SELECT version, yanked_at IS NOT NULL AS yanked FROM version WHERE name = ?',
  bytes: `
    SELECT bytes FROM tarball JOIN version ON version.id = tarball.version_id
    WHERE name = ? AND version = ?`,
  yank: `
    UPDATE version SET yanked_at = ?, yanked_reason = ? WHERE name = ? AND version = ?`,
  names: 'SELECT DISTINCT name FROM version WHERE name > ? ORDER BY name LIMIT ?',
  count: 'SELECT count(DISTINCT name) AS packages, count(*) AS versions FROM version',
  getSetting: 'SELECT value FROM setting WHERE key = ?',
  putSetting: 'INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)',
} as const;
type StatementName = keyof typeof SQL;

/**
 * The packages in a SQLite file.
 *
 * Tarballs are stored in the database, so a publish is a single transaction and names are never
 * used as paths. Every commit is synced (`synchronous = FULL`), so an acknowledged publish survives
 * a power failure.
 */
export class PackageStore implements Disposable {
  readonly #database: DatabaseSync;
  readonly #sql: Record<StatementName, StatementSync>;

  /** @param path the database file, created if missing, or `:memory:` */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    try {
      this.#database.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA foreign_keys = ON;
        PRAGMA busy_timeout = 2000;`);
      migrate(this.#database);
      this.#sql = prepareAll(this.#database);
      // From here on a wait for a lock would block every request: see `whenFree`.
      this.#database.exec('PRAGMA busy_timeout = 0;');
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Runs `work` in a transaction. */
  transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Adds a version in the caller's transaction. Returns false when the version exists. */
  insert(entry: NewVersion): boolean {
    const { manifest } = entry;
    const { changes, lastInsertRowid } = this.#sql.insertVersion.run(
      manifest.name,
      manifest.version,
      JSON.stringify(manifest),
      entry.sha256,
      entry.integrity,
      entry.sizeBytes,
      entry.unpackedBytes,
      entry.fileCount,
      entry.publishedAt,
    );
    if (changes === 0) return false;
    this.#sql.insertTarball.run(lastInsertRowid, entry.tarball);
    return true;
  }

  /**
   * Adds a version. Returns false when the version exists: a version can be published only once.
   */
  publish(entry: NewVersion): boolean {
    return this.transaction(() => this.insert(entry));
  }

  find(name: string, version: string): StoredVersion | undefined {
    const row = this.#sql.find.get(name, version) as VersionRow | undefined;
    if (row === undefined) return undefined;
    return {
      manifest: JSON.parse(row.manifest) as Manifest,
      sha256: row.sha256,
      integrity: row.integrity,
      sizeBytes: row.size_bytes,
      unpackedBytes: row.unpacked_bytes,
      fileCount: row.file_count,
      publishedAt: row.published_at,
      yanked: row.yanked_at !== null,
      yankedReason: row.yanked_reason ?? undefined,
    };
  }

  /** The versions of a package in order of publishing; empty when the package does not exist. */
  list(name: string): VersionSummary[] {
    return this.#sql.list
      .all(name)
      .map((row) => ({ version: row.version as string, yanked: row.yanked === 1 }));
  }

  tarball(name: string, version: string): Uint8Array | undefined {
    return this.#sql.bytes.get(name, version)?.bytes as Uint8Array | undefined;
  }

  /** Yanks a version, or restores it with `undefined`. */
  setYanked(
    name: string,
    version: string,
    yank: { readonly at: string; readonly reason: string | undefined } | undefined,
  ): boolean {
    const { changes } = this.#sql.yank.run(yank?.at ?? null, yank?.reason ?? null, name, version);
    return changes === 1;
  }

  /** Package names in order, after `after`, at most `limit`. */
  names(after: string, limit: number): string[] {
    return this.#sql.names.all(after, limit).map((row) => row.name as string);
  }

  counts(): { packages: number; versions: number } {
    const row = this.#sql.count.get() as { packages: number; versions: number };
    return { packages: row.packages, versions: row.versions };
  }

  setting(key: string): string | undefined {
    return this.#sql.getSetting.get(key)?.value as string | undefined;
  }

  setSetting(key: string, value: string): void {
    this.#sql.putSetting.run(key, value);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

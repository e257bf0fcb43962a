import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BundleSource } from '../read/evidence/bundle-source.ts';
import { MAX_BUNDLE_BYTES } from '../read/evidence/verify-bundle.ts';
import { FileSource } from '../sinks/file/file-source.ts';
import type { PostgresPool } from '../sinks/postgres/postgres-client.ts';
import { PostgresSource, postgresWriters } from '../sinks/postgres/postgres-source.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { SqliteSource } from '../sinks/sqlite/sqlite-source.ts';
import { UnreadableError, UsageError } from './exit-codes.ts';
import { LinesSource } from './lines-source.ts';

/** A log opened for reading. */
export interface OpenedSource {
  readonly source: AuditSource;
  close(): Promise<void> | void;
}

/** Options that select the log at a location. */
export interface SourceOptions {
  readonly writer?: string | undefined;
  readonly schema?: string | undefined;
}

const SQLITE_MAGIC = 'SQLite format 3\0';

/**
 * Opens a log by its location: the directory of {@link fileSink}, the database of {@link sqliteSink},
 * a URL of PostgreSQL, an evidence bundle, or a file of JSON lines.
 *
 * @throws {UnreadableError} if the log does not exist or cannot be read
 */
export async function openSource(location: string, options: SourceOptions): Promise<OpenedSource> {
  if (/^postgres(ql)?:\/\//.test(location)) return openPostgres(location, options);
  const found = await stat(location).catch((error: NodeJS.ErrnoException) => {
    throw new UnreadableError(`${location} cannot be read: ${error.code ?? error.message}.`);
  });
  if (found.isDirectory()) return { source: new FileSource(location), close: () => undefined };
  if (await isBundle(location)) {
    return { source: new BundleSource(location, MAX_BUNDLE_BYTES), close: () => undefined };
  }
  if (!(await startsWith(location, SQLITE_MAGIC))) {
    return { source: new LinesSource(location), close: () => undefined };
  }
  const source = new SqliteSource(location);
  return { source, close: () => source.close() };
}

/** Whether a file has the name of a bundle, or is a compressed tar archive under another one. */
async function isBundle(path: string): Promise<boolean> {
  if (/\.(tgz|tar\.gz)$/.test(path)) return true;
  if (!(await startsWith(path, '\u001f\u008b'))) return false;
  const gunzip = createGunzip();
  // Errors of either stream end the loop below, so the callback has nothing to do.
  pipeline(createReadStream(path), gunzip, () => undefined);
  try {
    for await (const chunk of gunzip) return chunk.toString('latin1', 257, 262) === 'ustar';
  } catch {
    return false; // a damaged file of lines
  }
  return false;
}

async function startsWith(path: string, magic: string): Promise<boolean> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new UnreadableError(`${path} cannot be read: ${error.code ?? error.message}.`);
  });
  try {
    const { buffer } = await file.read(Buffer.alloc(magic.length), 0, magic.length, 0);
    return buffer.toString('latin1') === magic;
  } finally {
    await file.close();
  }
}

async function openPostgres(
  connectionString: string,
  { writer, schema }: SourceOptions,
): Promise<OpenedSource> {
  const pool = await connect(connectionString);
  try {
    const writers = await postgresWriters(pool, schema);
    if (writer !== undefined && !writers.includes(writer)) {
      throw new UnreadableError(`There is no writer '${writer}'; known are ${writers.join(', ')}.`);
    }
    const only = writer ?? (writers.length === 1 ? writers[0] : undefined);
    if (only === undefined) {
      throw writers.length === 0
        ? new UnreadableError('The database has no audit log.')
        : new UsageError(
            `The database has several writers; choose one with --writer: ${writers.join(', ')}.`,
          );
    }
    return { source: new PostgresSource(pool, only, schema), close: () => pool.end() };
  } catch (error) {
    await pool.end();
    if (error instanceof UsageError || error instanceof UnreadableError) throw error;
    throw new UnreadableError(`The database cannot be read: ${(error as Error).message}.`);
  }
}

async function connect(connectionString: string): Promise<PostgresPool & { end(): Promise<void> }> {
  const pg = await import('pg').catch(() => {
    throw new UnreadableError(
      "Reading from PostgreSQL requires the package 'pg'; install it with 'npm install pg'.",
    );
  });
  return new pg.default.Pool({ connectionString, max: 2 }) as PostgresPool & {
    end(): Promise<void>;
  };
}

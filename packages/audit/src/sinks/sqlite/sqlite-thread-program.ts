import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A value of a parameter or a column. */
export type SqlValue = string | number | null;

/** One statement of a transaction, run once for each row of parameters. */
export interface SqlStep {
  readonly sql: string;
  readonly rows: readonly (readonly SqlValue[])[];
}

/** A query whose first row must have these values, or the transaction is rolled back. */
export interface SqlGuard {
  readonly sql: string;
  readonly expect: readonly SqlValue[];
}

/** A request to the thread. */
export type ThreadRequest =
  | {
      readonly id: number;
      readonly op: 'open';
      readonly path: string;
      readonly readOnly: boolean;
      /** Run after opening. */
      readonly sql: string;
    }
  | {
      readonly id: number;
      readonly op: 'all';
      readonly sql: string;
      readonly parameters: readonly SqlValue[];
    }
  | {
      readonly id: number;
      readonly op: 'transact';
      readonly steps: readonly SqlStep[];
      readonly guard: SqlGuard | undefined;
    }
  | { readonly id: number; readonly op: 'close' };

/** The reply to a request. */
export interface ThreadReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: {
    readonly message: string;
    readonly code: string | undefined;
    readonly errcode: number | undefined;
  };
}

/**
 * The program of the thread. Only its text reaches the thread, so it must refer to nothing outside
 * itself but globals.
 */
export function threadProgram(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const { existsSync, statSync } = process.getBuiltinModule('node:fs');
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  /** Primary result codes of SQLite. */
  const [READONLY, CANNOT_OPEN] = [8, 14];
  const statements = new Map<string, StatementSync>();
  let database: DatabaseSync | undefined;
  /** The open files with identity and size; empty for a database that is only read. */
  let files: { readonly path: string; state: string | undefined }[] = [];

  function coded(code: string, message: string): Error {
    return Object.assign(new Error(message), { code });
  }

  function stateOf(path: string): string | undefined {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}:${found.size}`;
  }

  function open(path: string, readOnly: boolean, sql: string): void {
    close();
    const sqlite = process.getBuiltinModule('node:sqlite');
    if (sqlite === undefined) throw new TypeError('This build of Node does not have node:sqlite.');
    database = new sqlite.DatabaseSync(path, { readOnly });
    try {
      database.exec(sql);
    } catch (error) {
      const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
      database.close();
      database = undefined;
      // A read-only copy: its index of the write-ahead log cannot be created. Without such a log
      // nothing can be writing either.
      const unwritable = code === READONLY || code === CANNOT_OPEN;
      if (!readOnly || !unwritable || existsSync(`${path}-wal`)) throw error;
      const url = pathToFileURL(path);
      url.searchParams.set('immutable', '1');
      database = new sqlite.DatabaseSync(url, { readOnly });
      database.exec(sql);
    }
    if (!readOnly) {
      files = ['', '-wal', '-shm'].map((end) => ({ path: path + end, state: undefined }));
      noteFiles();
    }
  }

  function noteFiles(): void {
    for (const file of files) file.state = stateOf(file.path);
  }

  function opened(): DatabaseSync {
    if (database === undefined) throw new TypeError('the database is not open');
    return database;
  }

  function statement(sql: string): StatementSync {
    let prepared = statements.get(sql);
    if (prepared === undefined) {
      prepared = opened().prepare(sql);
      if (statements.size < 100) statements.set(sql, prepared);
    }
    return prepared;
  }

  /** What is committed to a file without its name is lost with this process. */
  function checkFiles(part: 'identity' | 'size'): void {
    for (const { path, state } of files) {
      const now = stateOf(path);
      const compared = (text = ''): string =>
        part === 'size' ? text : text.slice(0, text.lastIndexOf(':'));
      if (state === undefined || compared(now) === compared(state)) continue;
      const what = now === undefined ? 'removed or renamed' : 'replaced or changed';
      throw coded('SQLITE_FILES_CHANGED', `${path} was ${what} by another program`);
    }
  }

  function checkGuard({ sql, expect }: SqlGuard): void {
    const found = Object.values((statement(sql).get() ?? {}) as Record<string, SqlValue>);
    if (found.length === expect.length && found.every((value, i) => value === expect[i])) return;
    throw coded('SQLITE_GUARD', 'another program has written to the database');
  }

  function transact(steps: readonly SqlStep[], guard: SqlGuard | undefined): void {
    const current = opened();
    checkFiles('size');
    current.exec('BEGIN IMMEDIATE');
    try {
      if (guard !== undefined) checkGuard(guard);
      for (const { sql, rows } of steps) {
        const prepared = statement(sql);
        for (const row of rows) prepared.run(...row);
      }
      current.exec('COMMIT');
    } catch (error) {
      if (current.isTransaction) current.exec('ROLLBACK');
      throw error;
    }
    checkFiles('identity');
    noteFiles();
  }

  function close(): void {
    statements.clear();
    files = [];
    database?.close();
    database = undefined;
  }

  function run(request: ThreadRequest): unknown {
    switch (request.op) {
      case 'open':
        return open(request.path, request.readOnly, request.sql);
      case 'all':
        return statement(request.sql).all(...request.parameters);
      case 'transact':
        return transact(request.steps, request.guard);
      default:
        return close();
    }
  }

  parentPort?.on('message', (request: ThreadRequest) => {
    const { id } = request;
    try {
      parentPort.postMessage({ id, value: run(request) });
    } catch (error) {
      const { message, code, errcode } = error as Error & { code?: string; errcode?: number };
      parentPort.postMessage({ id, error: { message, code, errcode } });
    }
  });
}

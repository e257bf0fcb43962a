import { Worker, type WorkerOptions } from 'node:worker_threads';
import {
  type SqlGuard,
  type SqlStep,
  type SqlValue,
  type ThreadReply,
  type ThreadRequest,
  threadProgram,
} from './sqlite-thread-program.ts';

/** Error code of a transaction whose {@link SqlGuard} did not hold. */
export const GUARD_FAILED = 'SQLITE_GUARD';
/** Error code of a database whose files were moved, replaced or removed while it was open. */
export const FILES_CHANGED = 'SQLITE_FILES_CHANGED';

/** Work of the thread, without the number that pairs it with its reply. */
type ThreadWork = ThreadRequest extends infer Request
  ? Request extends { readonly id: number }
    ? Omit<Request, 'id'>
    : never
  : never;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The arguments and variables of the process are not passed on: they may preload an SDK. */
const WORKER_OPTIONS: WorkerOptions = {
  eval: true,
  execArgv: ['--disable-warning=ExperimentalWarning'],
  env: {},
  name: 'temper-audit-sqlite',
};

/**
 * An SQLite database in a thread of its own: `node:sqlite` blocks the thread that calls it, for one
 * fdatasync per commit, or for as long as a query takes.
 *
 * The program of the thread is passed as text, so that there is no file to locate: this works the same
 * in an ES module, in CommonJS and in a bundle. The thread does not keep the process alive while it has
 * nothing to do.
 */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #waiting: Map<number, Waiting> = new Map();
  #next = 0;
  #ended: Error | undefined;

  constructor() {
    this.#worker = new Worker(`(${String(threadProgram)})()`, WORKER_OPTIONS);
    this.#worker.unref();
    this.#worker.on('message', (reply: ThreadReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#end(error as Error));
    this.#worker.on('exit', () => this.#end(new Error('the thread of the database has ended')));
  }

  /**
   * Opens the database.
   *
   * @throws the error of SQLite, with its `errcode`
   */
  async open(path: string, readOnly: boolean, sql: string): Promise<void> {
    await this.#ask({ op: 'open', path, readOnly, sql });
  }

  /** All rows of a query, each as an object. */
  async all(sql: string, ...parameters: readonly SqlValue[]): Promise<readonly unknown[]> {
    return (await this.#ask({ op: 'all', sql, parameters })) as readonly unknown[];
  }

  /**
   * Runs statements in one transaction and resolves when it is durable, in the files that were opened.
   *
   * @throws an error with the code {@link GUARD_FAILED} if the guard does not hold, and
   *   {@link FILES_CHANGED} if the files are no longer those that were opened
   */
  async transact(steps: readonly SqlStep[], guard?: SqlGuard): Promise<void> {
    await this.#ask({ op: 'transact', steps, guard });
  }

  /** Closes the database and ends the thread. */
  async close(): Promise<void> {
    await this.#ask({ op: 'close' }).catch(() => undefined);
    await this.#worker.terminate();
  }

  #ask(work: ThreadWork): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...work });
    });
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.error === undefined) waiting?.resolve(reply.value);
    else waiting?.reject(Object.assign(new Error(reply.error.message), reply.error));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}

import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveOptions } from '@temper/core/policy';
import { readIfPresent, syncDirectory, writeDurably } from '../durable-file.ts';
import { textRule } from '../option-rules.ts';
import { WriterLock } from '../sinks/writer-lock.ts';
import type { KeyStore, SubjectKey } from './key-store.ts';

const OWNER = 'fileKeyStore';
const ID = /^[0-9a-f]{32}$/;
const KEY_BYTES = 32;

/** Options of {@link fileKeyStore}. */
export interface FileKeyStoreOptions {
  /** Directory of the keys. Created with mode 0700. Not beside the log, and not in its backups. */
  readonly directory: string;
}

/** A {@link KeyStore} in files, used by one process at a time. */
export interface FileKeyStore extends KeyStore, AsyncDisposable {
  /** Releases the directory. Its keys can no longer be used through this store. */
  close(): Promise<void>;
}

/**
 * Keeps each key in a file, readable by the owner only. A destroyed key is overwritten, removed, and its
 * removal made durable. Names of subjects are not written down: a file is found by a keyed hash.
 *
 * Every method rejects with `AuditLockedError` while another process uses the directory.
 *
 * @throws {TypeError} if an option is invalid
 */
export function fileKeyStore(options: FileKeyStoreOptions): FileKeyStore {
  const { directory } = resolveOptions<FileKeyStoreOptions, 'directory'>(
    OWNER,
    options,
    {},
    { directory: textRule },
  );
  textRule(OWNER, 'directory', directory);
  return new DirectoryKeyStore(directory as string);
}

/** What an open store has. */
interface Opened {
  readonly lock: WriterLock;
  /** Key of the hashes of subjects. */
  readonly secret: string;
}

class DirectoryKeyStore implements FileKeyStore {
  readonly #directory: string;
  #opened: Opened | undefined;
  #closed = false;
  /** One change at a time: a key must not be created while those of its subject are destroyed. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  current(subject: string): Promise<SubjectKey | undefined> {
    return this.#inTurn((secret) => this.#current(this.#entry(secret, subject)));
  }

  create(subject: string, key: SubjectKey): Promise<SubjectKey> {
    return this.#inTurn(async (secret) => {
      const entry = this.#entry(secret, subject);
      const present = await this.#current(entry);
      if (present !== undefined) return present;
      await writeDurably(this.#path(key.id), Buffer.from(key.key).toString('hex'), true);
      // Replaces the entry of a key whose destruction was cut short.
      await writeDurably(entry, key.id);
      return key;
    });
  }

  find(id: string): Promise<Uint8Array | undefined> {
    return this.#inTurn(() => this.#read(id));
  }

  destroy(subject: string): Promise<readonly string[]> {
    return this.#inTurn(async (secret) => {
      const entry = this.#entry(secret, subject);
      const id = await this.#idIn(entry);
      if (id === undefined) return [];
      // The key first: an entry without a key can be removed again after a crash.
      await erase(this.#path(id));
      await rm(entry, { force: true });
      await syncDirectory(this.#directory);
      return [id];
    });
  }

  async #current(entry: string): Promise<SubjectKey | undefined> {
    const id = await this.#idIn(entry);
    const key = id === undefined ? undefined : await this.#read(id);
    return id === undefined || key === undefined ? undefined : { id, key };
  }

  async #idIn(entry: string): Promise<string | undefined> {
    const id = await readIfPresent(entry);
    if (id === undefined || ID.test(id)) return id;
    throw new Error(`${entry} is damaged: it is no identifier of a key.`);
  }

  async #read(id: string): Promise<Uint8Array | undefined> {
    const text = ID.test(id) ? await readIfPresent(this.#path(id)) : undefined;
    if (text === undefined) return undefined;
    const key = Buffer.from(text, 'hex');
    // Zeros are a key whose destruction was cut short.
    if (key.every((byte) => byte === 0)) return undefined;
    if (key.length !== KEY_BYTES || text.length !== 2 * KEY_BYTES) {
      throw new Error(`${this.#path(id)} is damaged: it is no key.`);
    }
    return key;
  }

  #entry(secret: string, subject: string): string {
    const name = createHmac('sha256', secret).update(subject).digest('hex');
    return join(this.#directory, `subject-${name}`);
  }

  #path(id: string): string {
    return join(this.#directory, `key-${id}`);
  }

  #inTurn<T>(work: (secret: string) => Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      this.#opened ??= await this.#open();
      return work(this.#opened.secret);
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #open(): Promise<Opened> {
    if (this.#closed) throw new Error(`The key store ${this.#directory} has been closed.`);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const lock = new WriterLock('key store', this.#directory, join(this.#directory, 'keys.lock'));
    try {
      const path = join(this.#directory, 'secret');
      let secret = await readIfPresent(path);
      if (secret === undefined) {
        secret = randomBytes(KEY_BYTES).toString('hex');
        await writeDurably(path, secret, true);
      }
      return { lock, secret };
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#closed = true;
    this.#opened?.lock.release();
    this.#opened = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Overwrites a file with zeros, as far as its file system does so in place, and removes it. Nothing
 * happens if there is none.
 */
async function erase(path: string): Promise<void> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size, '0'), 0, size, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rm(path);
}

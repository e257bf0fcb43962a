import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveOptions } from '@temper/core/policy';
import { type CheckpointBody, parseCheckpoint } from '../chain/checkpoint.ts';
import { parseNote } from '../chain/signed-note.ts';
import { writeDurably } from '../durable-file.ts';
import { textRule } from '../option-rules.ts';
import { type CheckpointStore, padSize } from './checkpoint-store.ts';
import { WitnessError } from './witness-error.ts';

/** Options of {@link fileStore}. */
export interface FileStoreOptions {
  /**
   * Directory: on another machine, or on a medium that can be written once. Created if it does not exist;
   * the directory above it must exist, so that a file system that is not mounted is noticed.
   */
  readonly directory: string;
}

const OWNER = 'fileStore';
const NAME = /^checkpoint-[0-9]{16}$/;

/**
 * Stores each checkpoint in a file `checkpoint-<size>` that is never replaced.
 *
 * @throws {TypeError} if an option is invalid
 */
export function fileStore(options: FileStoreOptions): CheckpointStore {
  const { directory } = resolveOptions<FileStoreOptions, 'directory'>(
    OWNER,
    options,
    {},
    { directory: textRule },
  );
  textRule(OWNER, 'directory', directory);
  return new FileStore(directory as string);
}

class FileStore implements CheckpointStore {
  readonly name: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.name = directory;
    this.#directory = directory;
  }

  async put(note: string, { size }: CheckpointBody): Promise<void> {
    const path = join(this.#directory, `checkpoint-${padSize(size)}`);
    await this.#create();
    try {
      await writeDurably(path, note, true);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (sameText(await readFile(path, 'utf8'), note)) return;
      const what = `it has another checkpoint over ${size} events`;
      throw new WitnessError(this.name, 'fork', what, error);
    }
  }

  async #create(): Promise<void> {
    await mkdir(this.#directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }

  async *latest(): AsyncIterable<string> {
    await this.#create();
    const names = (await readdir(this.#directory)).filter((name) => NAME.test(name)).sort();
    for (const name of names.reverse()) yield await readFile(join(this.#directory, name), 'utf8');
  }
}

/** Whether two notes are of the same checkpoint; their signatures may differ. */
function sameText(a: string, b: string): boolean {
  try {
    parseCheckpoint(a);
    return parseNote(a).text === parseNote(b).text;
  } catch {
    return false;
  }
}

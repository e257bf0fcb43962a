import type {
  FilePort,
  FileState,
  ReadableFile,
  WritableFile,
} from '../src/sinks/file/file-port.ts';
import { nodeFiles } from '../src/sinks/file/file-port.ts';

/** Operations that can be made to fail. */
export type FileOperation =
  | 'append'
  | 'sync'
  | 'truncate'
  | 'create'
  | 'openToAppend'
  | 'openToRead'
  | 'rename'
  | 'remove'
  | 'syncDirectory';

/** The local file system with injected faults. */
export class FaultyFiles implements FilePort {
  /** Every operation so far, in order. */
  readonly calls: FileOperation[] = [];
  /** Called before every operation; a returned error is thrown. */
  fault: (operation: FileOperation, path: string) => Error | undefined = () => undefined;
  /** Bytes that a failing append still writes. */
  partial = 0;

  #check(operation: FileOperation, path: string): void {
    this.calls.push(operation);
    const error = this.fault(operation, path);
    if (error !== undefined) throw error;
  }

  realPath = nodeFiles.realPath;
  stateOf: (path: string) => Promise<FileState | undefined> = nodeFiles.stateOf;
  makeDirectory = nodeFiles.makeDirectory;
  list = nodeFiles.list;

  async create(path: string): Promise<WritableFile> {
    this.#check('create', path);
    return this.#wrap(await nodeFiles.create(path), path);
  }

  async openToAppend(path: string): Promise<WritableFile> {
    this.#check('openToAppend', path);
    return this.#wrap(await nodeFiles.openToAppend(path), path);
  }

  async openToRead(path: string): Promise<ReadableFile> {
    this.#check('openToRead', path);
    return nodeFiles.openToRead(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check('rename', to);
    await nodeFiles.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    this.#check('remove', path);
    await nodeFiles.remove(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#check('syncDirectory', path);
    await nodeFiles.syncDirectory(path);
  }

  #wrap(file: WritableFile, path: string): WritableFile {
    return {
      identity: file.identity,
      get size() {
        return file.size;
      },
      append: async (bytes) => {
        try {
          this.#check('append', path);
        } catch (error) {
          // Like a disk that fills up during a write: the known size does not change.
          const raw = await nodeFiles.openToAppend(path);
          await raw.append(bytes.subarray(0, this.partial));
          await raw.close();
          throw error;
        }
        await file.append(bytes);
      },
      sync: async () => {
        this.#check('sync', path);
        await file.sync();
      },
      truncate: async (size) => {
        this.#check('truncate', path);
        await file.truncate(size);
      },
      close: () => file.close(),
    };
  }
}

/** An error of the operating system. */
export function systemError(code: 'ENOSPC' | 'EIO' | 'EDQUOT' | 'EMFILE'): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

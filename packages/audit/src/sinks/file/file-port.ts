import { randomUUID } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { realPathOf } from '../real-path.ts';

/** What a path leads to. */
export interface FileState {
  /** Device and inode: tells a file from another one of the same name. */
  readonly identity: string;
  /** Size in bytes. */
  readonly size: number;
}

/** A file open for writing at its end. */
export interface WritableFile {
  /** Device and inode. */
  readonly identity: string;
  /** Size in bytes. */
  readonly size: number;
  /** Writes all bytes at the end, wherever it is now, or rejects. */
  append(bytes: Uint8Array): Promise<void>;
  /** Makes written bytes durable. */
  sync(): Promise<void>;
  /** Truncates the file to `size` bytes. */
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** A file open for reading. */
export interface ReadableFile {
  readonly size: number;
  /** `length` bytes from `position`; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** The file system operations of the file sink, replaceable to inject faults in tests. */
export interface FilePort {
  /** The path without symbolic links. The file itself may be missing. */
  realPath(path: string): Promise<string>;
  /** Undefined if there is no file at the path. */
  stateOf(path: string): Promise<FileState | undefined>;
  makeDirectory(path: string): Promise<void>;
  /** Sorted names in a directory. Empty if the directory does not exist. */
  list(path: string): Promise<readonly string[]>;
  /** Creates a file; rejects if it exists. */
  create(path: string): Promise<WritableFile>;
  /** Opens an existing file for appending. */
  openToAppend(path: string): Promise<WritableFile>;
  openToRead(path: string): Promise<ReadableFile>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file if it exists. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

class NodeFile implements WritableFile, ReadableFile {
  readonly identity: string;
  readonly #handle: FileHandle;
  #size: number;

  constructor(handle: FileHandle, { identity, size }: FileState) {
    this.#handle = handle;
    this.identity = identity;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(
        bytes,
        offset,
        bytes.length - offset,
        null, // the file is in append mode, so that no other program's bytes are overwritten
      );
      offset += bytesWritten;
    }
    this.#size += bytes.length;
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size);
    this.#size = size;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(
        buffer,
        filled,
        length - filled,
        position + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function opened(path: string, flags: number): Promise<NodeFile> {
  // Readable and writable by the owner only.
  const handle = await open(path, flags, 0o600);
  return new NodeFile(handle, toState(await handle.stat({ bigint: true })));
}

function toState({ dev, ino, size }: BigIntStats): FileState {
  return { identity: `${dev}:${ino}`, size: Number(size) };
}

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;
/** What is written is the file itself: a link would lead the events elsewhere. Windows has no such flag. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;

/** The local file system. */
export const nodeFiles: FilePort = {
  realPath: realPathOf,
  stateOf: async (path) => {
    try {
      return toState(await stat(path, { bigint: true }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: async (path) => {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  create: (path) => opened(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL),
  openToAppend: (path) => opened(path, O_RDWR | O_APPEND | NO_LINK),
  openToRead: (path) => opened(path, O_RDONLY),
  rename,
  remove: (path) => rm(path, { force: true }),
  syncDirectory: async (path) => {
    // Windows cannot open a directory and does not need this.
    if (process.platform === 'win32') return;
    const handle = await open(path, O_RDONLY);
    await handle.sync().finally(() => handle.close());
  },
};

/** A name for an unfinished file, which no other program uses. */
export function temporaryName(): string {
  return `.temper-${randomUUID()}.tmp`;
}

/** Whether a name was made by {@link temporaryName}. */
export function isTemporary(name: string): boolean {
  return /^\.temper-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/.test(name);
}

/** Replaces a small file atomically: after a crash the file has the old or the new content. */
export async function replaceFile(
  files: FilePort,
  directory: string,
  name: string,
  content: string,
): Promise<void> {
  const temporary = `${directory}/${temporaryName()}`;
  try {
    const file = await files.create(temporary);
    try {
      await file.append(Buffer.from(content));
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, `${directory}/${name}`);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined); // the first error counts
    throw error;
  }
  await files.syncDirectory(directory);
}

/** Content of a small file; undefined if the file does not exist. */
export async function readWhole(files: FilePort, path: string): Promise<string | undefined> {
  let file: ReadableFile;
  try {
    file = await files.openToRead(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return (await file.read(0, file.size)).toString();
  } finally {
    await file.close();
  }
}

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';

/** A file open for writing at its end. */
export interface WritableFile {
  /** Bytes in it. */
  readonly size: number;
  /** Writes at the end, all of it or an error. */
  append(bytes: Uint8Array): Promise<void>;
  /** Makes what has been written durable. */
  sync(): Promise<void>;
  /** Cuts the file. */
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** A file open for reading. */
export interface ReadableFile {
  readonly size: number;
  /** Up to `length` bytes from `position`; fewer only at the end. */
  read(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** The little that the file sink asks of a file system; tests put faults in its place. */
export interface FilePort {
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, in order. Empty when there is no such directory. */
  list(path: string): Promise<readonly string[]>;
  /** Makes a file that must not exist yet. */
  create(path: string): Promise<WritableFile>;
  /** Opens a file to go on writing. */
  openToAppend(path: string): Promise<WritableFile>;
  openToRead(path: string): Promise<ReadableFile>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, if it is there. */
  remove(path: string): Promise<void>;
  /** Makes what was created, renamed or removed in a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

class NodeFile implements WritableFile, ReadableFile {
  readonly #handle: FileHandle;
  #size: number;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
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
        this.#size + offset,
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
  // Audit logs are nobody's business but their writer's.
  const handle = await open(path, flags, 0o600);
  const { size } = await handle.stat();
  return new NodeFile(handle, size);
}

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;

/** The file system of this machine. */
export const nodeFiles: FilePort = {
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
  create: (path) => opened(path, O_RDWR | O_CREAT | O_EXCL),
  openToAppend: (path) => opened(path, O_RDWR),
  openToRead: (path) => opened(path, O_RDONLY),
  rename,
  remove: (path) => rm(path, { force: true }),
  syncDirectory: async (path) => {
    // Windows cannot open a directory, and needs no such thing.
    if (process.platform === 'win32') return;
    const handle = await open(path, O_RDONLY);
    await handle.sync().finally(() => handle.close());
  },
};

/** Replaces a small file so that a crash leaves the old or the new one, whole. */
export async function replaceFile(
  files: FilePort,
  directory: string,
  name: string,
  content: string,
): Promise<void> {
  const temporary = `${directory}/${name}.tmp`;
  await files.remove(temporary);
  const file = await files.create(temporary);
  try {
    await file.append(Buffer.from(content));
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, `${directory}/${name}`);
  await files.syncDirectory(directory);
}

/** All of a small file; undefined when it does not exist. */
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

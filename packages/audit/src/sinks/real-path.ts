import { open, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * The path of a file without symbolic links, so that one file has one lock whatever path leads to it.
 * The file itself may be missing; its directory must exist.
 *
 * @throws the error of the system if the directory does not exist, or the path is a link to nothing
 */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return join(await realpath(dirname(path)), basename(path));
  }
}

/**
 * Creates an empty file that only its owner can read, unless the path exists already.
 *
 * An existing file is not opened: closing it would release the locks that this process holds on it.
 */
export async function createPrivate(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

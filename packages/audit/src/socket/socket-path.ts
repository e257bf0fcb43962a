import { randomBytes } from 'node:crypto';
import { chmodSync, type Stats } from 'node:fs';
import { lstat, rename, rm, stat } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { type OptionRule, show } from '@temper/core/policy';
import { textRule } from '../option-rules.ts';

/** Every system has at least 104 bytes for the path of a socket, with the NUL at its end. */
const MAX_PATH_BYTES = 103;
/** Of the name that a socket has until it can be connected to: a dot and 8 hexadecimal digits. */
const SUFFIX_BYTES = 9;
const [GROUP_OR_OTHERS_WRITE, STICKY] = [0o022, 0o1000];

/** The path of a socket that fits into its address. */
export const socketPathRule: OptionRule = (owner, option, value) => {
  textRule(owner, option, value);
  const max = MAX_PATH_BYTES - SUFFIX_BYTES;
  if (!(value as string).includes('\0') && Buffer.byteLength(value as string) <= max) return;
  throw new TypeError(
    `${owner}: ${option} must be a path of at most ${max} bytes without NUL, got ${show(value)}.`,
  );
};

/** @throws unless the system has sockets with an owner and permissions */
export function checkPlatform(owner: string): void {
  if (process.platform !== 'win32') return;
  throw new Error(`${owner} needs Unix sockets with permissions, which Windows does not have.`);
}

/** Whether nobody but these users and root can put another file in the place of the socket. */
async function checkDirectory(path: string, users: readonly number[]): Promise<void> {
  const directory = dirname(path);
  const { uid, mode } = await stat(directory);
  if (!users.includes(uid)) {
    throw new Error(`The directory ${show(directory)} of the socket belongs to the user ${uid}.`);
  }
  if ((mode & GROUP_OR_OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    throw new Error(`The directory ${show(directory)} of the socket can be changed by others.`);
  }
}

async function found(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Checks that the socket was created by `uid`, root or this user, where nobody else can replace it: anybody
 * who could would acknowledge events and store none.
 *
 * @throws if it was not, or there is no socket
 */
export async function checkServerSocket(path: string, uid: number | undefined): Promise<void> {
  const users = [0, uid ?? ownUid()];
  const file = await found(path);
  if (file === undefined) throw new Error(`There is no socket ${show(path)}.`);
  if (!file.isSocket()) throw new Error(`${show(path)} is not a socket.`);
  if (!users.includes(file.uid)) {
    throw new Error(`The socket ${show(path)} belongs to the user ${file.uid}.`);
  }
  await checkDirectory(path, [...users, ownUid()]);
}

function ownUid(): number {
  return process.geteuid?.() ?? -1;
}

/**
 * Listens on a socket, which appears at `path` at once with its permissions, and replaces the socket of a
 * server that has ended. The caller holds the lock of the path.
 *
 * @returns removes the socket, unless another file has taken its place
 * @throws if another file than a socket is there, or others can change the directory
 */
export async function listenAt(
  server: Server,
  path: string,
  mode: number,
): Promise<() => Promise<void>> {
  await checkDirectory(path, [0, ownUid()]);
  const before = await found(path);
  if (before !== undefined && !before.isSocket()) {
    throw new Error(`${show(path)} is not a socket and is not replaced.`);
  }
  const own = `${path}.${randomBytes((SUFFIX_BYTES - 1) / 2).toString('hex')}`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // In a worker of node:cluster the primary process would listen otherwise.
    server.listen({ path: own, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
    // `listen` has bound the socket already, or has failed. Nobody knows its random name yet.
    try {
      chmodSync(own, mode);
    } catch {}
  });
  const created = await lstat(own);
  await rename(own, path);
  return async () => {
    const now = await found(path);
    if (now?.ino === created.ino && now.dev === created.dev) await rm(path, { force: true });
  };
}

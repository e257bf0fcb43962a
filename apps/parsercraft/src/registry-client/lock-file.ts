import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import semver from 'semver';
import { LockFileError } from './errors.ts';
import { isPackageName } from './names.ts';
import type { Requirements } from './resolve.ts';

interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
  readonly dependencies: Requirements;
}

/** A recorded resolution, for reproducible installs. */
export interface LockFile {
  readonly lockfileVersion: 1;
  readonly requirements: Requirements;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** @throws {LockFileError} when the file is invalid. Returns `undefined` when it does not exist */
export async function readLockFile(path: string): Promise<LockFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return parseLockFile(text);
}

/** Writes a lock file atomically, with sorted keys. */
export async function writeLockFile(path: string, lock: LockFile): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, `${JSON.stringify(lock, null, 2)}\n`);
  await rename(aside, path);
}

/** @throws {LockFileError} */
export function parseLockFile(text: string): LockFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LockFileError('The lock file is not valid JSON.', { cause });
  }
  const { lockfileVersion, requirements, packages } = record(value, 'the lock file');
  if (lockfileVersion !== 1)
    throw new LockFileError('The lock file has an unsupported lockfileVersion; expected 1.');
  const locked = Object.entries(record(packages, 'packages')).map(([name, entry]) => {
    if (!isPackageName(name))
      throw new LockFileError(`The lock file contains an invalid package name: '${name}'.`);
    const { version, integrity, dependencies } = record(entry, name);
    if (typeof version !== 'string' || semver.valid(version) !== version) {
      throw new LockFileError(`The lock file has no valid version for ${name}.`);
    }
    if (typeof integrity !== 'string' || !integrity.startsWith('sha512-')) {
      throw new LockFileError(`The lock file has no sha512 integrity for ${name}.`);
    }
    return [name, { version, integrity, dependencies: ranges(dependencies, name) }] as const;
  });
  return {
    lockfileVersion: 1,
    requirements: ranges(requirements, 'the program'),
    packages: Object.fromEntries(locked),
  };
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new LockFileError(`In the lock file, ${what} must be an object.`);
}

function ranges(value: unknown, what: string): Requirements {
  const entries = Object.entries(record(value, `the dependencies of ${what}`));
  for (const [name, range] of entries) {
    if (!isPackageName(name) || typeof range !== 'string' || semver.validRange(range) === null) {
      throw new LockFileError(
        `In the lock file, ${what} requires '${name}' with an invalid version range.`,
      );
    }
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

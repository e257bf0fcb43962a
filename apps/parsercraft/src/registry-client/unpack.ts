import { createHash, timingSafeEqual } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { IntegrityError } from './errors.ts';

/** The files of a package by path. */
export type PackageFiles = ReadonlyMap<string, Uint8Array>;

const MAX_UNPACKED_BYTES = 8 * 1024 * 1024;
const MAX_FILES = 256;
const ROOT = 'package/';
/**
 * Plain names that begin with a letter, a digit or an underscore: no dots that climb, no drive, no
 * stream.
 */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
/** Device names on Windows, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

const inflate = promisify(gunzip);

/** @throws {IntegrityError} unless the tarball has the checksum and size of the metadata */
export function verify(
  packageId: string,
  tarball: Uint8Array,
  announced: { readonly integrity: string; readonly sizeBytes: number },
): void {
  if (tarball.byteLength !== announced.sizeBytes) {
    const message = `the tarball has ${tarball.byteLength} bytes; the metadata says ${announced.sizeBytes}`;
    throw new IntegrityError(packageId, message);
  }
  const own = Buffer.from(`sha512-${createHash('sha512').update(tarball).digest('base64')}`);
  const wanted = Buffer.from(announced.integrity);
  if (own.byteLength !== wanted.byteLength || !timingSafeEqual(own, wanted)) {
    throw new IntegrityError(packageId, 'the checksum of the tarball does not match the metadata');
  }
}

/**
 * Unpacks a tarball in memory. Rejects links and devices, paths outside the package, duplicate
 * paths (case-insensitive), and archives above the limits on size and number of files.
 *
 * @throws {IntegrityError}
 */
export async function unpack(packageId: string, tarball: Uint8Array): Promise<PackageFiles> {
  const refuse = (message: string, cause?: unknown): never => {
    throw new IntegrityError(packageId, message, { cause });
  };
  const archive = await inflate(tarball, { maxOutputLength: MAX_UNPACKED_BYTES }).catch(
    (error: unknown) =>
      refuse('the tarball is not a gzip stream or is too large when unpacked', error),
  );
  const entries = await unpackTar(archive, { strict: true }).catch((error: unknown) =>
    refuse('the tarball is not a tar archive', error),
  );
  const files = new Map<string, Uint8Array>();
  const seen = new Set<string>();
  for (const { header, data } of entries) {
    const shown = JSON.stringify(header.name.slice(0, 160));
    if (header.type === 'directory') continue;
    if (header.type !== 'file') refuse(`${shown} is a ${header.type}; only files are unpacked`);
    const path = header.name.startsWith(ROOT) ? header.name.slice(ROOT.length) : '';
    if (!isSafePath(path)) refuse(`${shown} has an unsafe path`);
    if (seen.has(path.toLowerCase())) refuse(`${shown} appears more than once`);
    seen.add(path.toLowerCase());
    if (seen.size > MAX_FILES) refuse(`the tarball has more than ${MAX_FILES} files`);
    files.set(path, data ?? new Uint8Array());
  }
  return files;
}

/** Writes the files of a package to a folder. Fails if one of them exists. */
export async function writeFiles(files: PackageFiles, folder: string): Promise<void> {
  for (const path of files.keys()) {
    if (!isSafePath(path)) throw new TypeError(`'${path}' is not a valid path inside a package.`);
  }
  for (const [path, content] of files) {
    const target = join(folder, ...path.split('/'));
    await mkdir(dirname(target), { recursive: true });
    // `wx` fails on an existing symbolic link instead of following it.
    await writeFile(target, content, { flag: 'wx' });
  }
}

function isSafePath(path: string): boolean {
  return (
    path.length <= 128 &&
    path.split('/').every((segment) => SEGMENT.test(segment) && !DEVICE.test(segment))
  );
}

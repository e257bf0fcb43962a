import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { packTar, unpackTar } from 'modern-tar';
import type { Flaw } from './manifest.ts';
import { whyNotFilePath } from './names.ts';

/** The folder in a tarball that contains all files, as in npm. */
const TARBALL_ROOT = 'package';
/** Maximum size of a compressed tarball, in bytes. */
export const MAX_TARBALL_BYTES: number = 1024 * 1024;
/** Maximum size of an unpacked tarball, in bytes, against decompression bombs. */
export const MAX_UNPACKED_BYTES: number = 8 * 1024 * 1024;
/** Maximum number of files in a package. */
const MAX_FILES = 256;

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);

/** The files of a package: contents by path. */
export type PackageFiles = ReadonlyMap<string, Uint8Array>;

type TarballResult =
  | { readonly ok: true; readonly files: PackageFiles; readonly unpackedBytes: number }
  | { readonly ok: false; readonly flaws: readonly Flaw[] };

/** The checksums of a tarball. */
export interface TarballDigest {
  /** Hexadecimal, as `sha256sum` prints it. */
  readonly sha256: string;
  /** Subresource Integrity, as in npm's lock files: `sha512-<base64>`. */
  readonly integrity: string;
  readonly sizeBytes: number;
}

export function digestOf(tarball: Uint8Array): TarballDigest {
  return {
    sha256: hash('sha256', tarball, 'hex'),
    integrity: `sha512-${hash('sha512', tarball, 'base64')}`,
    sizeBytes: tarball.byteLength,
  };
}

// Some unpackers reject the epoch itself. npm uses this fixed date too.
const FIXED_MTIME = new Date('1985-10-26T08:15:00.000Z');
const GZIP_OS_BYTE = 9;
const GZIP_OS_UNKNOWN = 255;

/**
 * Packs files into a reproducible gzip tarball: sorted, with fixed owner and date, and without the
 * operating system in the gzip header.
 */
export async function packTarball(
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<Buffer> {
  const entries = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([path, content]) => {
      const body = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
      return {
        header: {
          name: `${TARBALL_ROOT}/${path}`,
          size: body.byteLength,
          type: 'file' as const,
          mode: 0o644,
          mtime: FIXED_MTIME,
          uid: 0,
          gid: 0,
          uname: '',
          gname: '',
        },
        body,
      };
    });
  const tarball = await gzipAsync(await packTar(entries), { level: 9 });
  tarball[GZIP_OS_BYTE] = GZIP_OS_UNKNOWN;
  return tarball;
}

/**
 * Unpacks a tarball in memory and rejects content that is unsafe to unpack: links and devices,
 * paths outside the folder, duplicate paths (case-insensitive), and archives above the limits.
 */
export async function unpackTarball(tarball: Uint8Array): Promise<TarballResult> {
  const refuse = (message: string, field = 'tarball'): TarballResult => ({
    ok: false,
    flaws: [{ field, message }],
  });
  let archive: Buffer;
  try {
    archive = await gunzipAsync(tarball, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? refuse(`must not unpack to more than ${MAX_UNPACKED_BYTES} bytes`)
      : refuse('must be a gzip stream');
  }
  let entries: Awaited<ReturnType<typeof unpackTar>>;
  try {
    entries = await unpackTar(archive, { strict: true });
  } catch (error) {
    return refuse(`must be a tar archive (${(error as Error).message})`);
  }

  const files = new Map<string, Uint8Array>();
  const seen = new Set<string>();
  let unpackedBytes = 0;
  for (const { header, data } of entries) {
    const shown = JSON.stringify(header.name.slice(0, 160));
    const path = header.name.replace(/\/$/, '');
    if (header.type === 'directory') {
      if (path !== TARBALL_ROOT && whyNotFilePath(path) !== undefined) {
        return refuse(`contains the folder ${shown}, whose path is invalid`);
      }
      continue;
    }
    if (header.type !== 'file')
      return refuse(`contains ${shown} of type ${header.type}; only files are allowed`);
    if (!header.name.startsWith(`${TARBALL_ROOT}/`)) {
      return refuse(`contains ${shown} outside ${TARBALL_ROOT}/`);
    }
    const inside = header.name.slice(TARBALL_ROOT.length + 1);
    const why = whyNotFilePath(inside);
    if (why !== undefined) return refuse(`contains the path ${shown}, which ${why}`);
    if (seen.has(inside.toLowerCase())) return refuse(`contains ${shown} twice`);
    seen.add(inside.toLowerCase());
    if (seen.size > MAX_FILES) return refuse(`must not contain more than ${MAX_FILES} files`);
    const content = data ?? new Uint8Array();
    unpackedBytes += content.byteLength;
    files.set(inside, content);
  }
  return { ok: true, files, unpackedBytes };
}

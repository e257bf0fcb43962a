import { type Flaw, MANIFEST_FILE, parseManifest } from './manifest.ts';
import type { NewVersion } from './store.ts';
import {
  digestOf,
  MAX_TARBALL_BYTES,
  type PackageFiles,
  packTarball,
  unpackTarball,
} from './tarball.ts';

type AdmissionResult =
  | { readonly ok: true; readonly entry: NewVersion }
  | { readonly ok: false; readonly flaws: readonly Flaw[] };

/**
 * Validates a tarball for publishing. The metadata is read only from the tarball itself, so the two
 * cannot differ.
 */
export async function admitTarball(tarball: Uint8Array, now: Date): Promise<AdmissionResult> {
  const refuse = (field: string, message: string): AdmissionResult => ({
    ok: false,
    flaws: [{ field, message }],
  });
  if (tarball.byteLength > MAX_TARBALL_BYTES) {
    return refuse('tarball', `must not exceed ${MAX_TARBALL_BYTES} bytes`);
  }
  const unpacked = await unpackTarball(tarball);
  if (!unpacked.ok) return unpacked;
  const parsed = readManifest(unpacked.files);
  if (parsed === undefined) return refuse(MANIFEST_FILE, 'must be a JSON file in the package');
  const result = parseManifest(parsed.value);
  if (!result.ok) return result;
  if (!unpacked.files.has(result.manifest.main)) {
    return refuse('main', `must be a file of the package; ${result.manifest.main} does not exist`);
  }
  return {
    ok: true,
    entry: {
      ...digestOf(tarball),
      manifest: result.manifest,
      tarball,
      unpackedBytes: unpacked.unpackedBytes,
      fileCount: unpacked.files.size,
      publishedAt: now.toISOString(),
    },
  };
}

function readManifest(files: PackageFiles): { readonly value: unknown } | undefined {
  const bytes = files.get(MANIFEST_FILE);
  if (bytes === undefined) return undefined;
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    return undefined;
  }
}

/** Validates a package sent as JSON, `{ manifest, files }`, and packs it. */
export async function admitFiles(body: unknown, now: Date): Promise<AdmissionResult> {
  const { manifest, files } = (body ?? {}) as { manifest?: unknown; files?: unknown };
  const flaws: Flaw[] = [];
  if (typeof manifest !== 'object' || manifest === null) {
    flaws.push({ field: 'manifest', message: 'must be an object' });
  }
  if (typeof files !== 'object' || files === null || Array.isArray(files)) {
    flaws.push({ field: 'files', message: 'must be an object that maps paths to strings' });
  } else {
    for (const [path, content] of Object.entries(files)) {
      const field = `files.${path.slice(0, 80)}`;
      if (typeof content !== 'string') flaws.push({ field, message: 'must be a string' });
      if (path === MANIFEST_FILE) {
        flaws.push({ field, message: 'is generated from the manifest and must not be included' });
      }
    }
  }
  if (flaws.length > 0) return { ok: false, flaws };
  const tarball = await packTarball({
    ...(files as Record<string, string>),
    [MANIFEST_FILE]: `${JSON.stringify(manifest, null, 2)}\n`,
  });
  return admitTarball(tarball, now);
}

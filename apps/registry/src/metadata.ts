import type { Manifest } from './manifest.ts';
import { inOrder, latestVersion } from './resolution.ts';
import type { StoredVersion, VersionSummary } from './store.ts';

/** A version, as returned by `GET /packages/:name/:version` and `…/resolve`. */
export interface VersionMetadata extends Manifest {
  /** SHA-256 of the tarball, hexadecimal. */
  readonly sha256: string;
  /** Checksum of the tarball, `sha512-<base64>`. */
  readonly integrity: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
  readonly fileCount: number;
  /** Time of publishing, ISO 8601. */
  readonly publishedAt: string;
  readonly yanked: boolean;
  readonly yankedReason?: string;
  /** Path of the tarball, relative to the registry URL. */
  readonly download: string;
}

/** The versions of a package: `GET /packages/:name/versions`. */
export interface PackageVersions {
  readonly name: string;
  /** The default version; null when all versions are yanked. */
  readonly latest: string | null;
  /** In ascending order, without yanked versions. */
  readonly versions: readonly string[];
  readonly yankedVersions: readonly string[];
}

/** A package: the metadata of its latest version, and its versions. */
export type PackageMetadata = VersionMetadata & PackageVersions;

export function versionPath(name: string, version: string): string {
  return `/packages/${name}/${version}`;
}

export function versionMetadata(stored: StoredVersion): VersionMetadata {
  const { manifest } = stored;
  return {
    ...manifest,
    sha256: stored.sha256,
    integrity: stored.integrity,
    sizeBytes: stored.sizeBytes,
    unpackedBytes: stored.unpackedBytes,
    fileCount: stored.fileCount,
    publishedAt: stored.publishedAt,
    yanked: stored.yanked,
    ...(stored.yankedReason === undefined ? {} : { yankedReason: stored.yankedReason }),
    download: `${versionPath(manifest.name, manifest.version)}/download`,
  };
}

export function packageVersions(
  name: string,
  summaries: readonly VersionSummary[],
): PackageVersions {
  const ordered = inOrder(summaries);
  return {
    name,
    latest: latestVersion(ordered) ?? null,
    versions: ordered.filter((s) => !s.yanked).map((s) => s.version),
    yankedVersions: ordered.filter((s) => s.yanked).map((s) => s.version),
  };
}

import type { Manifest } from './manifest.ts';
import { inOrder, latestVersion } from './resolution.ts';
import type { StoredVersion, VersionSummary } from './store.ts';

/** One version, as `GET /packages/:name/:version` and `…/resolve` answer it. */
export interface VersionMetadata extends Manifest {
  /** Of the tarball, hexadecimal. */
  readonly sha256: string;
  /** Of the tarball, `sha512-<base64>`. */
  readonly integrity: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
  readonly fileCount: number;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly yanked: boolean;
  readonly yankedReason?: string;
  /** Where the tarball is, relative to the registry. */
  readonly download: string;
}

/** What can be had of a package: `GET /packages/:name/versions`. */
export interface PackageVersions {
  readonly name: string;
  /** What a client gets that names no version; null when all were yanked. */
  readonly latest: string | null;
  /** In ascending order, without the yanked ones. */
  readonly versions: readonly string[];
  readonly yankedVersions: readonly string[];
}

/** A package: the metadata of its latest version, and the versions there are. */
export type PackageMetadata = VersionMetadata & PackageVersions;

export function versionAddress(name: string, version: string): string {
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
    download: `${versionAddress(manifest.name, manifest.version)}/download`,
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

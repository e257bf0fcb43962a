import semver from 'semver';

/** What resolution needs to know of a version. */
export interface Candidate {
  readonly version: string;
  readonly yanked: boolean;
}

/**
 * The highest version that satisfies a range, as npm reads ranges: `^0.2.0` stays below 0.3.0,
 * and a prerelease satisfies only a range that names a prerelease of the same three numbers.
 * A yanked version is never chosen.
 */
export function resolveRange(candidates: readonly Candidate[], range: string): string | undefined {
  const open = candidates.filter((c) => !c.yanked).map((c) => c.version);
  return semver.maxSatisfying(open, range) ?? undefined;
}

/**
 * The version a client gets that names none: the highest stable one, or, where only prereleases
 * were published, the highest of those. Undefined when every version was yanked.
 */
export function latestVersion(candidates: readonly Candidate[]): string | undefined {
  const open = candidates.filter((c) => !c.yanked).map((c) => c.version);
  return semver.maxSatisfying(open, '*') ?? semver.rsort(open)[0];
}

/** Versions in ascending order of precedence. */
export function inOrder<T extends Candidate>(candidates: readonly T[]): T[] {
  return [...candidates].sort((a, b) => semver.compare(a.version, b.version));
}

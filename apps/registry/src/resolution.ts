import semver from 'semver';

/** A version as input of resolution. */
export interface Candidate {
  readonly version: string;
  readonly yanked: boolean;
}

/**
 * The highest version that satisfies a range, with npm semantics: `^0.2.0` stays below 0.3.0, and a
 * prerelease satisfies only a range with a prerelease of the same major.minor.patch. A yanked
 * version is never selected.
 */
export function resolveRange(candidates: readonly Candidate[], range: string): string | undefined {
  const open = candidates.filter((c) => !c.yanked).map((c) => c.version);
  return semver.maxSatisfying(open, range) ?? undefined;
}

/**
 * The default version: the highest stable one, or the highest prerelease if there is no stable one.
 * Undefined when every version is yanked.
 */
export function latestVersion(candidates: readonly Candidate[]): string | undefined {
  const open = candidates.filter((c) => !c.yanked).map((c) => c.version);
  return semver.maxSatisfying(open, '*') ?? semver.rsort(open)[0];
}

/** Versions in ascending order of precedence. */
export function inOrder<T extends Candidate>(candidates: readonly T[]): T[] {
  return [...candidates].sort((a, b) => semver.compare(a.version, b.version));
}

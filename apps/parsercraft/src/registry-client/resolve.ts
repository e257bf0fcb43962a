import semver from 'semver';
import {
  type Demand,
  DependencyCycleError,
  PackageNotFoundError,
  VersionConflictError,
} from './errors.ts';

/** Package names and version ranges. */
export type Requirements = Readonly<Record<string, string>>;

/** Source of the versions and dependencies for a resolution. */
export interface PackageIndex {
  /** The available versions. */
  versions(name: string): Promise<readonly string[]>;
  dependencies(name: string, version: string): Promise<Requirements>;
}

interface ResolveOptions {
  /** Versions to prefer when they satisfy the requirements, for example from a lock file. */
  readonly preferred?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Maximum number of candidates to try. @defaultValue 2000 */
  readonly maxTries?: number;
}

/** One version per package, in dependency order. */
export type Resolution = ReadonlyMap<string, string>;

/** The dependent shown in errors for the requirements of the program itself. */
const ROOT = 'the program';

/**
 * Finds one version for every direct and transitive dependency: the highest that satisfies all
 * dependents. Depth-first search with backtracking, so it finds a solution if one exists within
 * `maxTries` candidates.
 *
 * Prereleases are considered only where a range includes one, as in npm.
 *
 * @throws {VersionConflictError} when there is no solution, with the conflicting requirements
 * @throws {PackageNotFoundError} when a package required by every candidate does not exist
 * @throws {DependencyCycleError} when packages of the solution depend on each other
 */
export async function resolveVersions(
  requirements: Requirements,
  index: PackageIndex,
  options: ResolveOptions = {},
): Promise<Resolution> {
  const search = new Search(index, options);
  const chosen = await search.solve(new Map(), demandsOf(new Map(), ROOT, requirements));
  if (chosen === undefined) throw search.failure();
  return inOrder(chosen, search.known);
}

type Demands = ReadonlyMap<string, readonly Demand[]>;

class Search {
  readonly known = new Map<string, Requirements>();
  readonly #index: PackageIndex;
  readonly #options: ResolveOptions;
  #triesLeft: number;
  #failure: Error | undefined;

  constructor(index: PackageIndex, options: ResolveOptions) {
    this.#index = index;
    this.#options = options;
    this.#triesLeft = options.maxTries ?? 2000;
  }

  /** The last conflict found, which is closest to the cause. */
  failure(): Error {
    return this.#failure ?? new VersionConflictError('', [], []);
  }

  async solve(chosen: Resolution, demands: Demands): Promise<Resolution | undefined> {
    const open = [...demands.keys()].filter((name) => !chosen.has(name)).sort()[0];
    if (open === undefined) return chosen;
    const wanted = demands.get(open) ?? [];
    const available = await this.#versions(open);
    if (available === undefined) return undefined;
    const candidates = this.#candidates(open, wanted, available);
    if (candidates.length === 0) this.#failure = new VersionConflictError(open, wanted, available);
    for (const version of candidates) {
      this.#spend(open, wanted, available);
      const needs = await this.#dependencies(open, version);
      const next = demandsOf(demands, `${open}@${version}`, needs);
      const clash = Object.keys(needs).find((name) => {
        const at = name === open ? version : chosen.get(name);
        return at !== undefined && !semver.satisfies(at, needs[name] as string);
      });
      if (clash !== undefined) {
        const there = clash === open ? available : ((await this.#versions(clash)) ?? []);
        this.#failure = new VersionConflictError(clash, next.get(clash) ?? [], there);
        continue;
      }
      const solution = await this.solve(new Map([...chosen, [open, version]]), next);
      if (solution !== undefined) return solution;
    }
    return undefined;
  }

  #candidates(
    name: string,
    wanted: readonly Demand[],
    available: readonly string[],
  ): readonly string[] {
    const fitting = available
      .filter((version) => wanted.every(({ range }) => semver.satisfies(version, range)))
      .sort(semver.rcompare);
    const { preferred: all = {} } = this.#options;
    const preferred = Object.hasOwn(all, name) ? all[name] : undefined;
    if (preferred === undefined || !fitting.includes(preferred)) return fitting;
    return [preferred, ...fitting.filter((version) => version !== preferred)];
  }

  async #versions(name: string): Promise<readonly string[] | undefined> {
    try {
      return await this.#index.versions(name);
    } catch (error) {
      // Another version of the dependent may not need this package.
      if (!(error instanceof PackageNotFoundError)) throw error;
      this.#failure = error;
      return undefined;
    }
  }

  async #dependencies(name: string, version: string): Promise<Requirements> {
    const key = `${name}@${version}`;
    const before = this.known.get(key);
    if (before !== undefined) return before;
    this.#options.signal?.throwIfAborted();
    const needs = await this.#index.dependencies(name, version);
    this.known.set(key, needs);
    return needs;
  }

  #spend(name: string, wanted: readonly Demand[], available: readonly string[]): void {
    this.#options.signal?.throwIfAborted();
    this.#triesLeft -= 1;
    if (this.#triesLeft < 0)
      throw this.#failure ?? new VersionConflictError(name, wanted, available);
  }
}

function demandsOf(before: Demands, by: string, needs: Requirements): Demands {
  const demands = new Map(before);
  for (const [name, range] of Object.entries(needs)) {
    demands.set(name, [...(demands.get(name) ?? []), { by, range }]);
  }
  return demands;
}

/** Sorts packages in dependency order. A cycle has no such order. */
function inOrder(chosen: Resolution, known: ReadonlyMap<string, Requirements>): Resolution {
  const ordered = new Map<string, string>();
  const visit = (name: string, way: readonly string[]): void => {
    if (ordered.has(name)) return;
    const at = way.indexOf(name);
    if (at !== -1) throw new DependencyCycleError([...way.slice(at), name]);
    const version = chosen.get(name) as string;
    const needs = Object.keys(known.get(`${name}@${version}`) ?? {}).sort();
    for (const need of needs) visit(need, [...way, name]);
    ordered.set(name, version);
  };
  for (const name of [...chosen.keys()].sort()) visit(name, []);
  return ordered;
}

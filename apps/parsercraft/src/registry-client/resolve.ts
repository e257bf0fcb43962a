import semver from 'semver';
import {
  type Demand,
  DependencyCycleError,
  PackageNotFoundError,
  VersionConflictError,
} from './errors.ts';

/** Package names and the versions wanted. */
export type Requirements = Readonly<Record<string, string>>;

/** Where a resolution learns what there is. */
export interface PackageIndex {
  /** The versions that can be had. */
  versions(name: string): Promise<readonly string[]>;
  dependencies(name: string, version: string): Promise<Requirements>;
}

interface ResolveOptions {
  /** Versions that are taken when they fit, for instance those of a lock file. */
  readonly preferred?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Versions that are tried before it is given up. @defaultValue 2000 */
  readonly maxTries?: number;
}

/** One version for each package, in an order in which each comes after those it needs. */
export type Resolution = ReadonlyMap<string, string>;

/** What the requirements of the program itself are shown as. */
const ROOT = 'the program';

/**
 * Finds one version for every package that is needed, directly or not: the highest that all who
 * need it agree on. A choice that turns out wrong is taken back (depth-first search with
 * backtracking), so a solution is found when there is one, within `maxTries`.
 *
 * Prereleases are taken only where a range asks for one, as npm does.
 *
 * @throws {VersionConflictError} when there is no solution, with who wants what
 * @throws {PackageNotFoundError} when a package needed by every candidate does not exist
 * @throws {DependencyCycleError} when packages of the solution need each other
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

  /** The deepest conflict that was met last; it is nearest to the cause. */
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
    const preferred = this.#options.preferred?.[name];
    if (preferred === undefined || !fitting.includes(preferred)) return fitting;
    return [preferred, ...fitting.filter((version) => version !== preferred)];
  }

  async #versions(name: string): Promise<readonly string[] | undefined> {
    try {
      return await this.#index.versions(name);
    } catch (error) {
      // Another version of whoever needs it may not.
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

/** Each package after those it needs; a circle has no such order. */
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

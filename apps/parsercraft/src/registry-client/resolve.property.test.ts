import fc from 'fast-check';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { DependencyCycleError, PackageNotFoundError, VersionConflictError } from './errors.ts';
import { type PackageIndex, type Requirements, resolveVersions } from './resolve.ts';

type World = Record<string, Record<string, Requirements>>;

const NAMES = ['a', 'b', 'c', 'd'];
const VERSIONS = ['0.1.0', '0.2.0', '1.0.0', '1.1.0', '2.0.0-rc.1', '2.0.0'];
const range = fc.constantFrom(
  '*',
  '^1.0.0',
  '~0.1.0',
  '^0.2.0',
  '>=1.0.0',
  '<1.0.0',
  '1.0.0',
  '^2.0.0-rc.0',
  '^3.0.0',
);
const needs = fc.dictionary(fc.constantFrom(...NAMES, 'gone'), range, { maxKeys: 2 });
const worlds: fc.Arbitrary<World> = fc.record(
  Object.fromEntries(
    NAMES.map((name) => [
      name,
      fc.dictionary(fc.constantFrom(...VERSIONS), needs, { minKeys: 1, maxKeys: 3 }),
    ]),
  ),
);

function indexOf(world: World): PackageIndex {
  return {
    versions: async (name) => {
      const found = world[name];
      if (found !== undefined) return Object.keys(found);
      throw new PackageNotFoundError({
        url: name,
        status: 404,
        problem: undefined,
        detail: undefined,
        retryAfterMs: undefined,
        traceId: undefined,
      });
    },
    dependencies: async (name, version) => world[name]?.[version] ?? {},
  };
}

/** Whether a selection satisfies every requirement and contains every dependency. */
function isSolution(
  world: World,
  roots: Requirements,
  chosen: ReadonlyMap<string, string>,
): boolean {
  const demands = [roots, ...[...chosen].map(([name, version]) => world[name]?.[version] ?? {})];
  return demands.every((one) =>
    Object.entries(one).every(([name, wanted]) => {
      const version = chosen.get(name);
      return version !== undefined && semver.satisfies(version, wanted);
    }),
  );
}

/** Every selection of at most one version per package. */
function* choices(world: World, names: readonly string[]): Iterable<ReadonlyMap<string, string>> {
  const [first, ...rest] = names;
  if (first === undefined) {
    yield new Map();
    return;
  }
  for (const tail of choices(world, rest)) {
    yield tail;
    for (const version of Object.keys(world[first] ?? {}))
      yield new Map([[first, version], ...tail]);
  }
}

describe('resolution', () => {
  it('resolution finds a solution exactly when one exists', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(worlds, needs, async (world, roots) => {
        const possible = [...choices(world, NAMES)].some((chosen) =>
          isSolution(world, roots, chosen),
        );
        try {
          const solution = await resolveVersions(roots, indexOf(world));
          expect(isSolution(world, roots, solution)).toBe(true);
          found += 1;
        } catch (error) {
          if (error instanceof DependencyCycleError) expect(possible).toBe(true);
          else {
            expect(
              [VersionConflictError, PackageNotFoundError].some((one) => error instanceof one),
            ).toBe(true);
            expect(possible).toBe(false);
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(found).toBeGreaterThan(200);
  });

  it('a resolution has no unneeded package and is in dependency order', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, needs, async (world, roots) => {
        const solution = await resolveVersions(roots, indexOf(world)).catch(
          () => new Map<string, string>(),
        );
        const seen = new Set<string>();
        const wanted = new Set(Object.keys(solution.size === 0 ? {} : roots));
        for (const [name, version] of solution) {
          for (const need of Object.keys(world[name]?.[version] ?? {})) {
            expect(seen).toContain(need);
            wanted.add(need);
          }
          seen.add(name);
        }
        expect(seen).toEqual(wanted);
      }),
      { numRuns: 1000 },
    );
  });

  it('resolution selects the highest allowed version', async () => {
    const world = { a: { '1.0.0': {}, '1.2.0': {}, '2.0.0-rc.1': {}, '0.9.0': {} } };
    expect([...(await resolveVersions({ a: '*' }, indexOf(world)))]).toEqual([['a', '1.2.0']]);
    expect([...(await resolveVersions({ a: '>=2.0.0-rc.0' }, indexOf(world)))]).toEqual([
      ['a', '2.0.0-rc.1'],
    ]);
  });

  it('resolution backtracks from a choice without a solution', async () => {
    const world = {
      a: { '2.0.0': { c: '^2.0.0' }, '1.0.0': { c: '^1.0.0' } },
      b: { '1.0.0': { c: '^1.0.0' } },
      c: { '1.0.0': {}, '2.0.0': {} },
    };
    const solution = await resolveVersions({ a: '*', b: '*' }, indexOf(world));
    expect(Object.fromEntries(solution)).toEqual({ a: '1.0.0', b: '1.0.0', c: '1.0.0' });
  });

  it('a failed resolution reports the conflicting requirements', async () => {
    const world = {
      a: { '1.0.0': { c: '^2.0.0' } },
      b: { '1.0.0': { c: '^1.0.0' } },
      c: { '1.0.0': {}, '2.0.0': {} },
    };
    await expect(resolveVersions({ a: '*', b: '*' }, indexOf(world))).rejects.toThrow(
      'No version of c satisfies every requirement: a@1.0.0 requires ^2.0.0, b@1.0.0 requires ^1.0.0; available versions: 1.0.0, 2.0.0.',
    );
    await expect(resolveVersions({ a: '^3.0.0' }, indexOf(world))).rejects.toThrow(
      'No version of a satisfies every requirement: the program requires ^3.0.0; available versions: 1.0.0.',
    );
  });

  it('resolution rejects circular dependencies', async () => {
    const world = {
      a: { '1.0.0': { b: '*' } },
      b: { '1.0.0': { c: '*' } },
      c: { '1.0.0': { a: '*' } },
    };
    await expect(resolveVersions({ a: '*' }, indexOf(world))).rejects.toThrow(
      'Circular package dependency: a → b → c → a.',
    );
  });

  it('resolution stops at maxTries', async () => {
    // Two conflicting packages among forty unrelated ones.
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`m${i}`, { '1.0.0': {}, '2.0.0': {}, '3.0.0': {} }]),
    );
    const world = {
      ...many,
      x: { '1.0.0': { z: '1.0.0' } },
      y: { '1.0.0': { z: '2.0.0' } },
      z: { '1.0.0': {}, '2.0.0': {} },
    };
    const roots = Object.fromEntries(Object.keys(world).map((name) => [name, '*']));
    const started = performance.now();
    await expect(resolveVersions(roots, indexOf(world))).rejects.toThrow(VersionConflictError);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

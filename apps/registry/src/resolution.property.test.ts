import fc from 'fast-check';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { type Candidate, inOrder, latestVersion, resolveRange } from './resolution.ts';

const small = fc.nat({ max: 3 });
const version = fc
  .tuple(small, small, small, fc.option(fc.constantFrom('alpha', 'beta.1', 'beta.2', 'rc.10', '0')))
  .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre === null ? '' : `-${pre}`}`);
const candidates: fc.Arbitrary<Candidate[]> = fc.uniqueArray(
  fc.record({ version, yanked: fc.boolean() }),
  { selector: (candidate) => candidate.version, maxLength: 20 },
);
const range = fc.oneof(
  fc
    .tuple(fc.constantFrom('^', '~', '>=', '<', '<=', '>', '=', ''), version)
    .map(([operator, base]) => operator + base),
  fc.constantFrom('*', '', '1.x', '0.2.x', '1 - 2', '^0.2.0 || ^2.0.0', '>=1.0.0 <2.0.0-0'),
);

describe('resolveRange', () => {
  it('resolves a range to the highest satisfying version that is not yanked', () => {
    fc.assert(
      fc.property(candidates, range, (all, wanted) => {
        const resolved = resolveRange(all, wanted);
        const possible = all.filter((c) => !c.yanked && semver.satisfies(c.version, wanted));
        if (resolved === undefined) {
          expect(possible).toEqual([]);
          return;
        }
        expect(possible.map((c) => c.version)).toContain(resolved);
        for (const other of possible) expect(semver.gte(resolved, other.version)).toBe(true);
      }),
    );
  });

  it('resolution does not depend on the order of publishing', () => {
    fc.assert(
      fc.property(candidates, range, (all, wanted) => {
        expect(resolveRange([...all].reverse(), wanted)).toBe(resolveRange(all, wanted));
      }),
    );
  });

  it('^0.y.z stays below 0.(y+1), and ^0.0.z matches only itself', () => {
    fc.assert(
      fc.property(candidates, small, small, (all, minor, patch) => {
        const resolved = resolveRange(all, `^0.${minor}.${patch}`);
        if (resolved === undefined) return;
        const parsed = semver.parse(resolved)!;
        expect([parsed.major, parsed.minor]).toEqual([0, minor]);
        if (minor === 0) expect(parsed.patch).toBe(patch);
      }),
    );
    expect(resolveRange([{ version: '0.9.0', yanked: false }], '^0.2.0')).toBeUndefined();
  });

  it('resolves to a prerelease only for a range with a prerelease of the same major.minor.patch', () => {
    fc.assert(
      fc.property(candidates, range, (all, wanted) => {
        const resolved = resolveRange(all, wanted);
        const parsed = semver.parse(resolved);
        if (parsed === null || parsed.prerelease.length === 0) return;
        const [plain] = parsed.version.split('-');
        expect(wanted).toContain(`${plain}-`);
      }),
    );
  });
});

describe('latestVersion', () => {
  it('the latest version is the highest stable one that is not yanked, or else the highest prerelease', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const open = all.filter((c) => !c.yanked).map((c) => c.version);
        const stable = open.filter((v) => semver.prerelease(v) === null);
        const expected = semver.rsort(stable.length > 0 ? stable : open)[0];
        expect(latestVersion(all)).toBe(expected);
      }),
    );
  });
});

describe('inOrder', () => {
  it('sorts versions by precedence and keeps all of them', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const ordered = inOrder(all);
        expect(new Set(ordered)).toEqual(new Set(all));
        for (const [i, candidate] of ordered.entries()) {
          if (i > 0) expect(semver.lte(ordered[i - 1]!.version, candidate.version)).toBe(true);
        }
      }),
    );
  });
});

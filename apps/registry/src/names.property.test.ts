import { basename, join, normalize, posix, win32 } from 'node:path';
import fc from 'fast-check';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { whyNotFilePath, whyNotName, whyNotRange, whyNotVersion } from './names.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({
    unit: fc.constantFrom('.', '/', '\\', '-', '_', 'a', 'Z', '0', ':', '%', '\0', ' '),
  }),
);
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/);
const name = fc
  .tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '-'), word), { maxLength: 4 }))
  .map(([first, rest]) => first + rest.map((pair) => pair.join('')).join(''));
const device = /^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\.|$)/i;

describe('a package name', () => {
  it('accepts package names of words joined by single dots or hyphens', () => {
    fc.assert(
      fc.property(name, (text) => {
        fc.pre(!device.test(text) && text !== 'publish');
        expect(whyNotName(text)).toBeUndefined();
      }),
    );
  });

  it('an accepted package name is a single safe segment of a URL and of a path', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, name), (text) => {
        if (whyNotName(text) !== undefined) return;
        expect(encodeURIComponent(text)).toBe(text);
        expect(new URL(`/packages/${text}`, 'http://x').pathname).toBe(`/packages/${text}`);
        expect(text.toLowerCase()).toBe(text);
        for (const path of [posix, win32]) {
          expect(path.dirname(path.join('root', text))).toBe('root');
          expect(path.basename(text)).toBe(text);
          expect(path.isAbsolute(text)).toBe(false);
        }
        expect(device.test(text)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('rejects any other package name with a reason', () => {
    for (const value of [undefined, null, 7, {}, [], ['std'], '', 'a'.repeat(65), 'publish']) {
      expect(whyNotName(value)).toEqual(expect.any(String));
    }
  });
});

describe('a version', () => {
  const number = fc.nat({ max: 9_999 });
  const identifier = fc.oneof(number.map(String), fc.stringMatching(/^[a-z][a-z0-9-]{0,5}$/));
  const version = fc
    .tuple(number, number, number, fc.array(identifier, { maxLength: 3 }))
    .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre.length > 0 ? `-${pre.join('.')}` : ''}`);

  it('accepts a version only in canonical form', () => {
    fc.assert(
      fc.property(version, (text) => {
        expect(whyNotVersion(text)).toBeUndefined();
        for (const other of [`v${text}`, `=${text}`, ` ${text}`, `${text}+build`, `${text}.`]) {
          expect(whyNotVersion(other)).toEqual(expect.any(String));
        }
      }),
    );
  });

  it('an accepted version is a single safe path segment', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, version), (text) => {
        if (whyNotVersion(text) !== undefined) return;
        expect(semver.valid(text)).toBe(text);
        expect(encodeURIComponent(text)).toBe(text);
        expect(normalize(join('root', text, 'x'))).toBe(join('root', basename(text), 'x'));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a range', () => {
  it('accepts exactly the ranges that npm accepts', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        expect(whyNotRange(text) === undefined).toBe(semver.validRange(text) !== null);
      }),
    );
    expect(whyNotRange('1 || '.repeat(60))).toMatch(/at most 256/);
    expect(whyNotRange(1)).toBe('must be a string');
  });
});

describe('a path inside a package', () => {
  it('an accepted path stays inside the package on every file system', () => {
    const segment = fc.oneof(
      anyText,
      fc.constantFrom('..', '.', '', 'src', 'main.pc', 'C:', 'nul'),
    );
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        const path = segments.join('/');
        if (whyNotFilePath(path) !== undefined) return;
        for (const flavour of [posix, win32]) {
          expect(flavour.isAbsolute(path)).toBe(false);
          expect(flavour.relative('root', flavour.join('root', path)).split(flavour.sep)).toEqual(
            path.split('/'),
          );
        }
        for (const part of path.split('/')) {
          expect(part).not.toMatch(/^\.|\.$|[:\\\0]/);
          expect(device.test(part)).toBe(false);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('accepts plain relative paths', () => {
    for (const path of [
      'main.pc',
      'src/deep/er/main.es.pc',
      'README.md',
      '_x/0-1_2.txt',
      'publish',
    ]) {
      expect(whyNotFilePath(path)).toBeUndefined();
    }
  });
});

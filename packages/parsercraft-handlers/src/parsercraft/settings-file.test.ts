import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fakeSubsystems } from '../../test/subsystems.ts';
import {
  HARDENING_DEFAULTS,
  parserCraftHardening,
  parseSettings,
  resolveSettings,
  SettingsFileError,
} from '../index.ts';

/** Every number of the settings, by path. */
const PATHS: string[][] = [];
const walk = (value: object, path: string[]): void => {
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'number') PATHS.push([...path, key]);
    else walk(inner as object, [...path, key]);
  }
};
walk(HARDENING_DEFAULTS, []);

/** The setting has a range up to 1. */
const isShare = (path: readonly string[]): boolean => path.at(-1) === 'share';

const nested = (path: readonly string[], value: number): object =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value);

describe('settings', () => {
  it.each(PATHS.map((path) => [path.join('.'), path] as const))(
    '%s can be overridden by an object and by YAML',
    (_, path) => {
      const expected = structuredClone(HARDENING_DEFAULTS);
      const other = isShare(path) ? 0.7 : 7;
      (at(expected, path.slice(0, -1)) as Record<string, number>)[path.at(-1) as string] = other;
      expect(resolveSettings(nested(path, other))).toEqual(expected);
      const yaml = path.map((key, depth) => `${'  '.repeat(depth)}${key}:`).join('\n');
      expect(resolveSettings(parseSettings(`${yaml} ${other}\n`))).toEqual(expected);
    },
  );

  it('make a hardening of any valid part of them, and keep it', async () => {
    const values = fc
      .dictionary(
        fc.constantFrom(...PATHS.map((path) => path.join('.'))),
        fc.integer({ min: 1, max: 1_000_000 }),
      )
      .map((given) =>
        Object.fromEntries(
          Object.entries(given).map(([name, value]) => [
            name,
            isShare(name.split('.')) ? 1 / value : value,
          ]),
        ),
      );
    await fc.assert(
      fc.asyncProperty(values, async (given) => {
        const overrides: Record<string, unknown> = {};
        for (const [name, value] of Object.entries(given)) {
          const path = name.split('.');
          let inner = overrides;
          for (const key of path.slice(0, -1)) {
            inner[key] ??= {};
            inner = inner[key] as Record<string, unknown>;
          }
          inner[path.at(-1) as string] = value;
        }
        await using made = parserCraftHardening(fakeSubsystems().subsystems, {
          settings: parseSettings(JSON.stringify(overrides)),
        });
        for (const path of PATHS) {
          const expected = given[path.join('.')] ?? at(HARDENING_DEFAULTS, path);
          expect(at(made.settings, path)).toBe(expected);
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['an unknown section', 'cache:\n  maxPackages: 3\nbrekers:\n  x: 1\n', 3, 1, 'brekers'],
    ['an unknown key', 'breakers:\n  ast_codegen:\n    treshold: 3\n', 3, 5, 'treshold'],
    ['a wrong type', 'health:\n  ttlMs: soon\n', 2, 10, "got 'soon'"],
    ['a value out of range', 'plans:\n  fetch_package: { maxAttempts: 0 }\n', 2, 33, '>= 1, got 0'],
    ['a list for a section', 'breakers: []\n', 1, 11, 'must be an object'],
    ['no value for a section', 'cache:\nhealth: 3\n', 1, 7, 'must be an object'],
    ['broken YAML', 'cache:\n  maxPackages: [1\n', 3, 1, ''],
    ['a document that is a word', 'hello\n', 1, 1, 'must be an object'],
  ])('tell %s with line and column', (_, text, line, column, message) => {
    let error: unknown;
    try {
      parseSettings(text, 'guards.yaml');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SettingsFileError);
    const { line: l, column: c, message: said } = error as SettingsFileError;
    expect([l, c]).toEqual([line, column]);
    expect(said).toContain(message);
    expect(said.startsWith(`guards.yaml:${line}:${column}: `)).toBe(true);
  });

  it('of an empty file are the report’s', () => {
    expect(resolveSettings(parseSettings(''))).toEqual(HARDENING_DEFAULTS);
  });
});

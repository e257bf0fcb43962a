import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judge, listRegexes, regexesIn } from './rules/regexes.mjs';
import { ROOT } from './rules/workspace.mjs';

/** What scripts/prove-regexes.mjs has judged before. */
const proven = JSON.parse(readFileSync(join(ROOT, 'scripts/regexes.json'), 'utf8'));

describe('the judge of regular expressions', () => {
  it.each([
    ['(a+)+$', '', 'exponential'],
    ['=+$', '', 'polynomial'],
    ['^\\s+at ', 'm', 'polynomial'],
    ['(?<=x)(?:\\s*a?)*$', 'u', 'exponential'],
  ])('finds that /%s/%s is not linear', (source, flags, complexity) => {
    const { linear, why } = judge({ source, flags });
    expect(why).toContain(complexity);
    expect(linear).toBe(false);
  });

  it('accepts what is linear, and what has a bound', () => {
    expect(judge({ source: '(?<!=)=+$', flags: '' }).linear).toBe(true);
    expect(judge({ source: '=+$', flags: 'y' }).linear).toBe(true);
    expect(judge({ source: ':[^@]{1,64}@', flags: '' }).linear).toBe(true);
  });

  it('refuses what it cannot read', () => {
    expect(judge({ source: '[a--b]', flags: 'v' })).toMatchObject({ linear: false });
  });

  it('sees literals and constructions, not comments, strings and divisions', () => {
    const text =
      "const a = /b+/g; // /c/\nconst d = '/e/' + a / 2 / 3; new RegExp(x); RegExp('y');";
    expect(regexesIn('file.ts', text)).toEqual({
      literals: [{ source: 'b+', flags: 'g' }],
      constructed: 2,
    });
  });
});

describe('the regular expressions of the product', async () => {
  const { expressions, unknown, idle } = await listRegexes();
  const fresh = expressions.filter(({ name }) => proven[name] === undefined);

  it('are all seen', () => {
    expect(expressions.length).toBeGreaterThan(200);
    expect(unknown, 'RegExp with a value that is known at run time only').toEqual([]);
    expect(idle, 'files of BUILT_AT_RUN_TIME that build none').toEqual([]);
  });

  it('are linear', () => {
    const slow = fresh.flatMap(({ file, name, ...expression }) => {
      const { linear, why } = judge(expression);
      return linear ? [] : [`${file}: ${name}: ${why}`];
    });
    expect(slow).toEqual([]);
  });

  it('are in scripts/regexes.json, but for a few', () => {
    // Each takes up to twenty seconds in every run: node scripts/prove-regexes.mjs.
    expect(fresh.length).toBeLessThanOrEqual(20);
  });
});

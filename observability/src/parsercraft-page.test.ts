import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@temper/testkit';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { describe, expect, it, onTestFinished } from 'vitest';

const docs = new URL('../../docs/', import.meta.url);
const report = readFileSync(new URL('parsercraft-report.md', docs), 'utf8');
const page = readFileSync(new URL('parsercraft.md', docs), 'utf8');

/** The parts of a page below its headings of the second level, by heading. */
function sections(text: string): Map<string, string> {
  const [, ...parts] = text.split(/^## /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end)];
    }),
  );
}

const blocksOf = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, code = '']) => code,
  );

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

/** The code of a section as the body of a function, whose expressions are compared with what stands behind them. */
function bodyOf(section: string): { readonly body: string; readonly comparisons: number } {
  let comparisons = 0;
  const code = blocksOf(section, 'ts')
    .join('\n')
    .replaceAll(/^import (\{.*\}) from ('.*');$/gm, 'const $1 = await load($2);')
    .replaceAll(/^(.*); \/\/ => (.*)$/gm, (_, expression, value) => {
      comparisons++;
      return `same(${expression}, ${value});`;
    });
  const body = stripTypes(`async () => {${code}}`).replace(/^async \(\) => \{/, '');
  return { body: body.slice(0, body.lastIndexOf('}')), comparisons };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parsercraft-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fakes(): Record<string, unknown> {
  return {
    codegen: { generateCode: () => 'int main;', inferTypes: () => 'int', probe: 'print(1)' },
    checker: { check: () => 'conforms', probe: 'Reader' },
    registry: { fetchPackage: (name: string) => `${name} 1.0.0`, probe: () => 'here' },
    server: { request: () => 'answer', probe: () => 'here' },
  };
}

describe('the page about the report of ParserCraft', () => {
  it('has a section for each of the report', () => {
    const headings = [...sections(report).keys()].filter((name) => name !== 'Executive Summary');
    expect([...sections(page).keys()]).toEqual(headings);
  });

  it.each([...sections(page)].filter(([, text]) => text.includes('```ts')))(
    'has code that runs and returns what it says: %s',
    async (_, text) => {
      const clock = new ManualClock();
      const { body, comparisons } = bodyOf(text);
      const given = {
        ...fakes(),
        folder: temporaryFolder(),
        clock,
        run: (call: Promise<unknown>) => clock.runUntil(call),
        load: (name: string) => import(name),
        same: (actual: unknown, value: unknown) => expect(actual).toEqual(value),
      };
      await new AsyncFunction(...Object.keys(given), body)(...Object.values(given));
      expect(comparisons).toBeGreaterThan(1);
    },
  );

  it('names each class, function and field of the report’s code', () => {
    const names = new Set<string>();
    for (const code of blocksOf(report, 'python')) {
      for (const pattern of [/([A-Za-z_]\w+)\(/g, /^ +(\w+): /gm, /^- (\w+)/gm]) {
        for (const [, name = ''] of code.matchAll(pattern)) names.add(name);
      }
    }
    // Of Python itself, and its logger.
    for (const name of ['print', 'items', 'warning', 'error']) names.delete(name);
    expect(names.size).toBeGreaterThan(60);
    const missing = [...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(page));
    expect(missing).toEqual([]);
  });

  it('states each default of the report’s configurations', () => {
    const defaults = blocksOf(report, 'python')
      .filter((code) => code.includes('@dataclass'))
      .flatMap((code) => [...code.matchAll(/^ +(\w+): \w+ = ([\w.]+)/gm)])
      .map(([, name, value]) => `\`${name}\` = ${value}`);
    expect(defaults).toHaveLength(10);
    expect(defaults.filter((one) => !page.includes(one))).toEqual([]);
  });

  it('has a counterpart that exists for each of the 38 tests', () => {
    const named = [...report.matchAll(/^- (.+) ✅$/gm)].map(([, name]) => name);
    const rows = [...page.matchAll(/^\| [^|]+ \| ([^|]+) \| `(packages\/[^`]+)`: ([^|]+) \|$/gm)];
    expect(rows.map(([, name = '']) => name.trim())).toEqual(named);
    expect(named).toHaveLength(38);
    for (const [, name, path = '', title = ''] of rows) {
      const file = new URL(`../${path}`, docs);
      expect(existsSync(file), path).toBe(true);
      expect(readFileSync(file, 'utf8'), name).toContain(title.trim());
    }
  });

  const cellsOf = (text: string): string[][] =>
    [...text.matchAll(/^\| (?!--)(.*) \|$/gm)].map(([, row = '']) =>
      row.split('|').map((cell) => cell.replaceAll(/[`*]|✅ Complete/g, '').trim()),
    );
  const sectionOf = (text: string, number: number): string =>
    [...sections(text)].find(([heading]) => heading.startsWith(`${number}. `))?.[1] as string;

  it('has each row of the report’s statistics, with the same numbers', () => {
    const rows = cellsOf(sectionOf(page, 12));
    const expected = cellsOf(sectionOf(report, 12)).filter(([, loc]) => /^\d+$/.test(loc ?? ''));
    expect(expected).toHaveLength(8);
    for (const [name = '', ...numbers] of expected) {
      const row = rows.find(([cell]) => cell === name);
      expect(row, name).toEqual(expect.arrayContaining(numbers.filter((number) => number !== '')));
    }
  });

  it.each([
    ['item of the checklist', 14, /^- \[[ x]\] (.+)$/gm, 21],
    ['limitation and plan', 15, /^ {3}- (.+)$/gm, 16],
  ] as const)('has a row for each %s of the report', (_, number, pattern, count) => {
    const items = [...sectionOf(report, number).matchAll(pattern)].map(([, item]) => item);
    expect(items).toHaveLength(count);
    const cells = cellsOf(sectionOf(page, number)).map((row) => row.at(-2));
    // The heading, and nothing else.
    expect(cells.slice(1)).toEqual(items);
  });

  it('repeats each number of the report’s conclusion', () => {
    const conclusion = sectionOf(report, 16);
    const here = sectionOf(page, 16);
    const listed = [...conclusion.matchAll(/^- ((?:\d\S*).*)$/gm)].map(([, claim = '']) => claim);
    const metrics = cellsOf(conclusion).filter(([, value]) => /^\d/.test(value ?? ''));
    expect([listed.length, metrics.length]).toEqual([7, 8]);
    const figures = metrics.map(([name, value = '']) => `${name}: ${value.split(' of ')[0]}`);
    const missing = [...listed, ...figures].filter((claim) => !here.includes(claim));
    expect(missing).toEqual([]);
  });

  it('links to files that exist, and to headings of them', () => {
    const links = [...page.matchAll(/\]\(([^)#]+)(?:#([^)]+))?\)/g)];
    expect(links.length).toBeGreaterThan(20);
    for (const [, path = '', heading] of links) {
      const file = new URL(path, docs);
      expect(existsSync(file), path).toBe(true);
      if (heading === undefined) continue;
      const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(
        ([, text = '']) =>
          text
            .toLowerCase()
            .replaceAll(/[^\w -]/g, '')
            .replaceAll(' ', '-'),
      );
      expect(headings, path).toContain(heading);
    }
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NotConnectedError, REDIS_STORE_DEFAULTS, redisStore } from './index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const bare = (cell = ''): string => cell.trim().replaceAll('`', '');

/** The rows of the table whose header begins so. */
function rows(header: string): string[][] {
  const [, rest = ''] = readme.split(new RegExp(`\\n\\| ${header} [^\\n]*\\n\\|[^\\n]*\\n`));
  const lines = rest.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(0, end).map((line) => line.split('|').slice(1, -1).map(bare));
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? `'${value}'` : String(value);

describe('the README', () => {
  it('lists every option with its default', () => {
    const options = new Map(rows('option').map(([name = '', value = '']) => [name, value]));
    let known: string[] = [];
    try {
      redisStore({ misspelt: 1 } as never);
    } catch (error) {
      known = (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ');
    }
    expect([...options.keys()].sort()).toEqual(known.sort());
    for (const [name, value] of Object.entries(REDIS_STORE_DEFAULTS)) {
      expect([name, options.get(name)]).toEqual([name, shown(value)]);
    }
  });

  it('names the error of its own with its code', () => {
    const { name, code } = new NotConnectedError('end');
    expect(rows('error')[0]?.slice(0, 2)).toEqual([name, code]);
  });
});

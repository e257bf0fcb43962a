import { readFileSync } from 'node:fs';
import { systemClock } from '@temper/core';
import { describe, expect, it } from 'vitest';
import { NotConnectedError, redisStore } from './index.ts';
import { REDIS_STORE_DEFAULTS } from './options.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const bare = (cell = ''): string => cell.trim().replaceAll('`', '');

/** The rows of the table whose first column is `header`. */
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
    const { clock, ...defaults } = REDIS_STORE_DEFAULTS;
    expect([clock.now, options.get('clock')]).toEqual([systemClock.now, 'the system clock']);
    for (const [name, value] of Object.entries(defaults)) {
      expect([name, options.get(name)]).toEqual([name, shown(value)]);
    }
  });

  it('names its own error with its code', () => {
    const { name, code } = new NotConnectedError('redis', 'end');
    expect(rows('error')[0]?.slice(0, 2)).toEqual([name, code]);
  });
});

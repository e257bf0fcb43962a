import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../http/schemas.ts';
import { MAX_OUTPUT_BYTES, MAX_STEPS } from '../workers/perform.ts';
import { CLIENT_LIMIT, DEMO_SETTINGS, EDITORS, WORK_BUDGET, WORKERS } from './settings.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The numbers in a row of the table of what a client may cost. */
function row(first: string): readonly number[] {
  const cells = readme
    .split('\n')
    .find((line) => line.startsWith(`| ${first} `))
    ?.split('|');
  if (cells === undefined) throw new Error(`There is no row '${first}'.`);
  return (cells[2]?.match(/\d+/g) ?? []).map(Number);
}

describe('what a client may cost', () => {
  it('is in the README', () => {
    expect(row('requests of one client')).toEqual([CLIENT_LIMIT.limit, CLIENT_LIMIT.burst]);
    expect(CLIENT_LIMIT.windowMs).toBe(60_000);
    expect(row('body of a request')).toEqual([LIMITS.bodyBytes]);
    expect(row('source, definition')).toEqual([LIMITS.sourceLength, LIMITS.definitionLength]);
    expect(row('time of a worker for one request')).toEqual([WORK_BUDGET.timeMs]);
    expect(row('heap of a worker')).toEqual([WORK_BUDGET.memoryMb]);
    expect(row('steps, output of a program')).toEqual([MAX_STEPS, MAX_OUTPUT_BYTES]);
  });

  it('is a share of each limit and bulkhead', () => {
    const [percent] = row('part of each limit and bulkhead that one client may use');
    const [waiting] = row('calls of one client that wait for a subsystem');
    const { limiters = {}, bulkheads = {} } = DEMO_SETTINGS;
    const shares = [...Object.values(limiters), ...Object.values(bulkheads)].map(
      ({ share }) => share,
    );
    expect(shares).toHaveLength(7);
    expect(new Set(shares)).toEqual(new Set([(percent as number) / 100]));
    for (const { maxQueue } of Object.values(bulkheads)) expect(maxQueue).toBe(waiting);
  });

  it('leaves a worker for others: no client can use all of them', () => {
    const { ast, protocols } = DEMO_SETTINGS.bulkheads ?? {};
    const [compilers = 0, checkers = 0] = [ast?.limit, protocols?.limit];
    expect(compilers).toBeGreaterThanOrEqual(2);
    expect(WORKERS).toBe(compilers + checkers + EDITORS);
    const most = Math.max(1, Math.floor(compilers * (ast?.share ?? 1))) + checkers + EDITORS;
    expect(most).toBeLessThan(WORKERS);
  });
});

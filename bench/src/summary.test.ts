import { describe, expect, it } from 'vitest';
import { report } from './report.ts';
import { median } from './statistics.ts';
import { findSuites, type RowResult, runSuite, type SuiteResult } from './suite.ts';
import { summarize } from './summary.ts';

const row = (name: string, ns: number, more: Partial<RowResult> = {}): RowResult => ({
  group: 'work',
  name,
  floor: name === 'floor',
  ns,
  ...more,
});
const suite = (name: string, rows: readonly RowResult[], more: Partial<SuiteResult> = {}) => ({
  suite: name,
  rows,
  figures: [],
  overheads: [],
  ...more,
});

describe('median', () => {
  it('returns the middle value or the mean of the two middle values', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(median([])).toBeNaN();
  });
});

describe('summarize', () => {
  it('takes ratios within one process, so that speed changes between processes cancel out', () => {
    const { rows } = summarize([
      suite('retry', [row('floor', 100), row('temper', 120)]),
      suite('retry', [row('floor', 300), row('temper', 390)]), // the machine was slower
      suite('retry', [row('floor', 100), row('temper', 125)]),
    ]);
    expect(rows[1]).toMatchObject({ name: 'temper', ratio: 1.25, least: 1.2, most: 1.3, ns: 125 });
    expect(rows[0]).toMatchObject({ name: 'floor', ratio: 1, least: 1, most: 1 });
  });

  it('compares an aim with the floor or with the row named by against', () => {
    const { rows } = summarize([
      suite('breaker', [
        row('floor', 100),
        row('temper', 140, { aim: 1.3 }),
        row('temper, rejected', 200, { aim: 1 / 3, against: 'opossum' }),
        row('opossum', 800),
      ]),
    ]);
    expect(rows[1]?.aim).toEqual({ against: 'floor', most: 1.3, measured: 1.4, met: false });
    expect(rows[2]?.aim).toEqual({ against: 'opossum', most: 1 / 3, measured: 0.25, met: true });
  });

  it('compares the aim of a figure with its unit or with another figure', () => {
    const figure = (name: string, value: number, more: object = {}) => ({
      group: 'memory',
      name,
      unit: 'bytes',
      value,
      ...more,
    });
    const { figures } = summarize([
      suite('memory', [], {
        figures: [
          figure('temper', 300, { aim: 1, against: 'cockatiel' }),
          figure('temper, idle', 200, { aim: 250 }),
          figure('cockatiel', 200),
        ],
      }),
    ]);
    expect(figures.map(({ aim }) => aim)).toEqual([
      { against: 'cockatiel', most: 1, measured: 1.5, met: false },
      { against: 'bytes', most: 250, measured: 200, met: true },
      undefined,
    ]);
  });

  it('computes the overhead of a row over a row of another process', () => {
    const { overheads } = summarize([
      suite('bare', [row('floor', 100), row('temper', 120)]),
      suite('metrics', [row('floor', 200), row('temper', 400)], {
        overheads: [
          {
            title: 'metrics',
            of: { suite: 'metrics', name: 'temper' },
            over: { suite: 'bare', name: 'temper' },
            aimNs: 50,
          },
        ],
      }),
    ]);
    expect(overheads).toMatchObject([{ title: 'metrics', aim: { met: false } }]);
    expect(overheads[0]?.ns).toBeCloseTo(80); // 2.0 against 1.2 of a floor of 100
  });
});

describe('report', () => {
  const setting = {
    date: '2026-11-24',
    commit: 'abc1234',
    node: 'v24',
    machine: 'two cores',
    load: '0.1',
    processes: 1,
    batchMs: 2,
    turns: 3,
    failures: [],
  };

  it('lists missed aims, faster peers and failed suites', () => {
    const page = report(
      summarize([
        suite(
          'retry',
          [
            row('floor', 100),
            row('temper', 140, {
              aim: 1.3,
              profile: [{ where: 'execute, call.js', share: 0.614 }],
            }),
            row('cockatiel', 130),
            row('a wish', 1),
          ],
          {
            figures: [{ group: 'idle', name: 'bytes', unit: 'bytes', aim: 1024, value: 300 }],
          },
        ),
      ]),
      { ...setting, failures: ['`audit/append`: the process ended with 1'] },
    );
    expect(page).toContain('at commit abc1234 on two cores');
    expect(page).toContain('1 of 2 aims are met.');
    expect(page).toContain('- work: **temper**: 61 % execute, call.js.');
    expect(page).toContain('| work: temper | 1.40 | cockatiel 1.30 | 1.08 |');
    expect(page).not.toContain('a wish 0');
    expect(page).toContain('- floor is not the fastest: work: a wish has 0.010');
    expect(page).toContain('- `audit/append`: the process ended with 1');
    expect(page).toContain('| work: temper | ≤ 1.30 × floor | 1.40 | **missed** |');
    expect(page).toContain('| idle: bytes | ≤ 1 024 bytes | 300 | met |');
    expect(page).toContain('| **temper** | 1.40 | 1.40 to 1.40 | 140 |  |');
    const order = [
      '## What went wrong',
      '## Losses',
      '## Aims',
      '**missed**',
      '| met |',
      '## work',
    ];
    expect(order.map((part) => page.indexOf(part))).toEqual(
      order.map((part) => page.indexOf(part)).toSorted((a, b) => a - b),
    );
  });

  it('says so when no peer is better and no floor is wrong', () => {
    const page = report(
      summarize([suite('retry', [row('floor', 100), row('temper', 110), row('cockatiel', 130)])]),
      setting,
    );
    expect(page).toContain('No row or figure of Temper is beaten by a peer of its group.');
    expect(page).not.toContain('What went wrong');
    expect(page).toContain('Without an aim: work: temper.');
  });
});

describe('a benchmark suite', () => {
  it('runs every exported array of rows and figures and tears rows down afterwards', async () => {
    const said: string[] = [];
    const hooks = (name: string) => ({
      setup: () => void said.push(`+${name}`),
      teardown: () => void said.push(`-${name}`),
    });
    const exported = {
      rows: [
        { group: 'g', name: 'floor', fn: () => 1, ...hooks('floor') },
        { group: 'g', name: 'temper', fn: async () => 1, aim: 2, ...hooks('temper') },
      ],
      figures: [
        { group: 'f', name: 'bytes', unit: 'bytes', measure: async () => 7 },
        { group: 'f', name: 'hours', unit: 'h', long: true, measure: () => expect.unreachable() },
      ],
      helper: () => 1,
      names: ['not', 'a', 'row'],
    };
    const turns = {
      batchMs: 0.1,
      turns: 2,
      warmUpMs: 0,
      now: () => performance.now(),
      short: true,
    };
    const result = await runSuite('package/suite', exported, turns);
    expect(result.rows).toMatchObject([
      { name: 'floor', floor: true },
      { name: 'temper', floor: false, aim: 2 },
    ]);
    expect(result.figures).toMatchObject([{ name: 'bytes', value: 7 }]); // a short run
    expect(said).toEqual(['+floor', '+temper', '-floor', '-temper']);
  });

  it('is found by its path', () => {
    const found = findSuites();
    expect(found).toEqual(expect.arrayContaining(['retry/first-try', 'telemetry/no-sdk']));
    expect(found.filter((suite) => /test|types/.test(suite))).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import type { RowResult, SuiteResult } from './suite.ts';
import { summarize } from './summary.ts';
import { losses, withoutAim, wrongFloors } from './verdicts.ts';

const row = (name: string, ns: number, more: Partial<RowResult> = {}): RowResult => ({
  group: 'work',
  name,
  floor: name === 'floor',
  ns,
  ...more,
});
const bytes = (name: string, value: number, aim?: number) => ({
  group: 'memory',
  name,
  unit: 'bytes',
  value,
  aim,
});
const summary = (rows: readonly RowResult[], more: Partial<SuiteResult> = {}) =>
  summarize([{ suite: 'suite', rows, figures: [], overheads: [], ...more }]);

describe('losses', () => {
  it('judges every row and figure of Temper by every peer, the greatest loss first', () => {
    const found = losses(
      summary(
        [
          row('floor', 100),
          row('temper', 130),
          row('temper, named', 260),
          row('temper, plain', 110),
          row('cockatiel', 120),
          row('opossum, without timeout', 200),
          row('a prebuilt error', 101),
        ],
        { figures: [bytes('temper', 900), bytes('cockatiel', 300)] },
      ),
    );
    expect(found.map(({ what, times }) => [what, Number(times.toFixed(2))])).toEqual([
      ['memory: temper', 3],
      ['work: temper, named', 2.17],
      ['work: temper', 1.08],
    ]);
    expect(found[1]?.peers.map(({ name }) => name)).toEqual([
      'cockatiel',
      'opossum, without timeout',
    ]);
  });

  it('compares within one group of one suite only', () => {
    const elsewhere = { group: 'other work' };
    const rows = [row('floor', 100), row('temper', 130), row('floor', 50, elsewhere)];
    expect(losses(summary([...rows, row('cockatiel', 55, elsewhere)]))).toEqual([]);
    expect(
      losses(
        summarize([
          {
            suite: 'one',
            rows: [row('floor', 100), row('temper', 130)],
            figures: [],
            overheads: [],
          },
          {
            suite: 'two',
            rows: [row('floor', 100), row('limiter', 110)],
            figures: [],
            overheads: [],
          },
        ]),
      ),
    ).toEqual([]);
  });

  it('does not compare rows that do different work', () => {
    const rows = [
      row('floor', 100, { isUnit: true }),
      row('temper: retry', 130),
      row('OpenTelemetry: counter.add', 20),
    ];
    expect(losses(summary(rows))).toEqual([]);
  });
});

describe('wrongFloors', () => {
  it('finds every row that is faster than the floor of its group, be it of a peer or of ours', () => {
    const rows = [
      row('floor', 100),
      row('temper', 98),
      row('cockatiel', 46),
      row('floor, timer shared', 70),
      row('opossum', 99.6), // 1.00
    ];
    expect(wrongFloors(summary(rows))).toMatchObject([
      { name: 'cockatiel', ratio: 0.46 },
      { name: 'floor, timer shared', ratio: 0.7 },
      { name: 'temper', ratio: 0.98 },
    ]);
  });

  it('accepts a floor that is a mere unit', () => {
    const rows = [row('floor', 100, { isUnit: true }), row('temper', 3)];
    expect(wrongFloors(summary(rows))).toEqual([]);
  });
});

it('lists the rows and figures of Temper that have no aim', () => {
  const rows = [row('floor', 1), row('temper', 1, { aim: 1 }), row('temper, named', 1)];
  const figures = [bytes('temper', 1), bytes('temper, idle', 1, 2), bytes('cockatiel', 1)];
  expect(withoutAim(summary([...rows, row('opossum', 1)], { figures }))).toEqual([
    'work: temper, named',
    'memory: temper',
  ]);
});

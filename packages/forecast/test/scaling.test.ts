import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fill } from './evaluation/page.ts';
import {
  helps,
  SCALING_HELD_OUT_SEEDS,
  SCALING_TUNING_SEEDS,
  type ScalingEvaluation,
  sampleOf,
} from './evaluation/scaling/evaluate.ts';
import { plotCost, plotMorning, REACTIVE, scalingTables } from './evaluation/scaling/page.ts';
import { KINDS, simulateTraffic } from './evaluation/scaling/traffic.ts';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const published = JSON.parse(read('docs/scaling.json')) as ScalingEvaluation;

describe('the published figures of scaling', () => {
  it.each(KINDS)(
    'are those of the code in the first held-out seed: %s',
    (kind) => {
      const traffic = simulateTraffic(kind, SCALING_HELD_OUT_SEEDS[0] as number);
      expect(sampleOf(traffic)).toEqual(published.sample[kind]);
    },
    60_000,
  );

  it('are of seeds that nothing was chosen with', () => {
    expect(published.heldOutSeeds).toEqual(SCALING_HELD_OUT_SEEDS);
    expect(published.tuningSeeds).toEqual(SCALING_TUNING_SEEDS);
    expect(SCALING_HELD_OUT_SEEDS.filter((seed) => SCALING_TUNING_SEEDS.includes(seed))).toEqual(
      [],
    );
    expect(read('docs/scaling.md')).toContain(
      `Constants were chosen on the seeds ${SCALING_TUNING_SEEDS[0]} to ${SCALING_TUNING_SEEDS.at(-1)}. The figures are means of the held-out seeds ${SCALING_HELD_OUT_SEEDS[0]} to ${SCALING_HELD_OUT_SEEDS.at(-1)}`,
    );
  });

  it('stand on the page, in the README and in the plots', () => {
    const parts = scalingTables(published);
    for (const file of ['docs/scaling.md', 'README.md']) {
      const page = read(file);
      expect(fill(page, parts)).toBe(page);
      expect(page).toContain(parts['scaling-verdict']);
    }
    expect(read('docs/scaling-cost.svg')).toBe(plotCost(published));
    expect(read('docs/scaling-morning.svg')).toBe(plotMorning(published));
  });

  it('show a week in which the signal helps, and those in which it does not, as the page says', () => {
    const helped = KINDS.filter((kind) => REACTIVE.every((other) => helps(published, kind, other)));
    expect(helped).toContain('opening');
    expect(helped).not.toContain('no-season');
    expect(helped).not.toContain('events');
  });
});

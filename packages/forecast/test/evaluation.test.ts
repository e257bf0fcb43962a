import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CALIBRATION, DEFAULT_THRESHOLD } from '../src/predict/calibration.ts';
import {
  defaultWins,
  type Evaluation,
  FALSE_SECONDS,
  HELD_OUT_SEEDS,
  sampleOf,
  simulateAll,
  TUNING_SEEDS,
} from './evaluation/evaluate.ts';
import { BASELINES, DEFAULT, methods } from './evaluation/methods.ts';
import { fill, tables } from './evaluation/page.ts';
import { measurePetShop, petShop } from './evaluation/petshop.ts';
import { plotCalibration, plotCurves, plotKinds } from './evaluation/plots.ts';
import { CALMS, INCIDENTS, simulate } from './evaluation/simulator.ts';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const published = JSON.parse(read('docs/evaluation.json')) as Evaluation;
const figuresOf = (method: string) => published.methods.find((one) => one.method === method);

describe('the published figures', () => {
  it('are those of the code: the runs of the first held-out seed come out as published', () => {
    const runs = simulateAll(HELD_OUT_SEEDS.slice(0, 1));
    // The fitted model needs the tuning runs; all other methods need nothing.
    for (const method of methods([]).filter(({ name }) => !name.startsWith('logistic'))) {
      const threshold = figuresOf(method.name)?.threshold as number;
      expect(sampleOf(method, runs, threshold), method.name).toEqual(published.sample[method.name]);
    }
  }, 120_000);

  it('are those of the code on the recorded incidents', () => {
    const data = petShop();
    for (const method of methods([]).filter(({ name }) => !name.startsWith('logistic'))) {
      const of = published.petShop.find((one) => one.method === method.name);
      expect(measurePetShop(method, data)).toEqual(of);
    }
  }, 60_000);

  it('are of seeds that nothing was tuned with', () => {
    expect(published.tuningSeeds).toEqual(TUNING_SEEDS);
    expect(published.heldOutSeeds).toEqual(HELD_OUT_SEEDS);
    expect(HELD_OUT_SEEDS.filter((seed) => TUNING_SEEDS.includes(seed))).toEqual([]);
    expect(published.incidents).toBe(INCIDENTS.length * HELD_OUT_SEEDS.length);
  });

  it('stand on the page, in the README and in the plots', () => {
    const parts = tables(published);
    const page = read('docs/evaluation.md');
    expect(fill(page, parts)).toBe(page);
    expect(page).toContain(
      `at most ${FALSE_SECONDS} false seconds a day on the tuning seeds ${TUNING_SEEDS[0]} to ${TUNING_SEEDS.at(-1)}`,
    );
    expect(page).toContain(
      `held-out seeds ${HELD_OUT_SEEDS[0]} to ${HELD_OUT_SEEDS.at(-1)}, which nothing was chosen by: ${published.incidents} incidents and ${Math.round(published.calmDays)} days of calm`,
    );
    const readme = read('README.md');
    expect(fill(readme, { verdict: parts['verdict'] as string })).toBe(readme);
    expect(readme).toContain(parts['verdict']);
    expect(read('docs/lead.svg')).toBe(plotCurves(published));
    expect(read('docs/kinds.svg')).toBe(plotKinds(published));
    expect(read('docs/calibration.svg')).toBe(plotCalibration(published));
  });
});

describe('the default', () => {
  it('is what the evaluation chose: it beats both baselines in lead time at the same rate of false alarms', () => {
    expect(defaultWins(published)).toBe(true);
    const best = published.methods.toSorted((a, b) => b.meanLeadS - a.meanLeadS)[0];
    expect(best?.method).toBe(DEFAULT);
    expect(published.methods.map(({ method }) => method)).toEqual(
      expect.arrayContaining([...BASELINES, 'Holt line']),
    );
  });

  it('has the threshold and the calibration of the tuning seeds', () => {
    expect(DEFAULT_THRESHOLD).toBeCloseTo(figuresOf(DEFAULT)?.threshold as number, 1);
    expect(CALIBRATION.slope).toBe(published.calibration.slope);
    expect(CALIBRATION.offset).toBe(published.calibration.offset);
  });

  it('has a probability that tells more than the base rate', () => {
    const { brier, brierOfBaseRate, bins } = published.calibration;
    expect(brier).toBeLessThan(brierOfBaseRate / 2);
    const observed = bins.map((bin) => bin.observed);
    expect(observed.at(-1)).toBeGreaterThan(0.9);
    expect(observed[0]).toBeLessThan(0.02);
  });
});

describe('the simulator', () => {
  it('repeats a run exactly, and makes another one of another seed', () => {
    const run = simulate('ramp', 5);
    expect(simulate('ramp', 5)).toEqual(run);
    expect(simulate('ramp', 6).steps).not.toEqual(run.steps);
  });

  it('lets users notice every incident after its onset and before its end', () => {
    for (const kind of INCIDENTS) {
      const { onset, noticed, end } = simulate(kind, 5);
      expect(onset).toBeGreaterThan(36);
      expect(noticed, kind).toBeGreaterThanOrEqual(onset as number);
      expect(end, kind).toBeGreaterThan(noticed as number);
    }
  });

  it('has no incident in a calm', () => {
    expect(CALMS.map((kind) => simulate(kind, 5).onset)).toEqual(CALMS.map(() => undefined));
  }, 60_000);
});

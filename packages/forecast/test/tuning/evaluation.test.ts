import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type RecordedCall, readTraces, recordTrace, replay } from '../../src/tuning/index.ts';
import { fill } from '../evaluation/page.ts';
import {
  CHANGES,
  compare,
  cover,
  HELD_OUT_SEEDS,
  isBetter,
  REPLAYED,
  SEEN_SEEDS,
  type TuningEvaluation,
  tuningParts,
} from './evaluate.ts';
import { drawScenario, SCENARIOS, USUAL_SETTINGS, World } from './world.ts';

const read = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const published = JSON.parse(read('docs/tuning.json')) as TuningEvaluation;

describe('the published figures of tuning', () => {
  it('are those of the code: one scenario of the first held-out seed comes out as published', async () => {
    const { scenario } = published.sample;
    expect(await compare(scenario, HELD_OUT_SEEDS.slice(0, 1))).toEqual(published.sample);
  }, 300_000);

  it('are of every scenario, and of seeds that nothing was chosen with', () => {
    expect(published.scenarios.map(({ scenario }) => scenario)).toEqual([...SCENARIOS]);
    expect(published.heldOutSeeds).toEqual(HELD_OUT_SEEDS);
    expect(HELD_OUT_SEEDS.filter((seed) => SEEN_SEEDS.includes(seed))).toEqual([]);
    expect(read('docs/tuning.md')).toContain(
      `held-out seeds ${HELD_OUT_SEEDS[0]} to ${HELD_OUT_SEEDS.at(-1)}`,
    );
  });

  it('stand on the page and in the README', () => {
    for (const file of ['docs/tuning.md', 'README.md']) {
      expect(fill(read(file), tuningParts(published))).toBe(read(file));
      expect(read(file)).toContain(tuningParts(published)['tuning-verdict']);
    }
  });

  it('show what tuning is for: attempts that never help go, and slow tails are cut', () => {
    const better = published.scenarios.filter(isBetter).map(({ scenario }) => scenario);
    expect(better).toEqual(expect.arrayContaining(['hopeless', 'tail']));
    const hopeless = published.scenarios.find(({ scenario }) => scenario === 'hopeless');
    expect(hopeless?.tuned.load).toBeLessThan(hopeless?.usual.load as number);
  });
});

describe('a replay', () => {
  it.each(SCENARIOS)(
    'of %s with the same settings is what was recorded, also read from a file',
    async (name) => {
      const calls: RecordedCall[] = [];
      const lines: string[] = [];
      const world = new World({
        scenario: drawScenario(name, 3),
        seed: 3,
        settings: USUAL_SETTINGS,
        onCall: (call) => calls.push(call),
      });
      recordTrace(world.tuner, (line) => lines.push(line));
      const { failed, tries, p50Ms, p99Ms } = await world.run(3000);
      const [trace] = readTraces(lines);
      for (const settings of [{}, USUAL_SETTINGS]) {
        const said = replay(trace as NonNullable<typeof trace>, settings);
        expect(said.failureRatio.value).toBeCloseTo(failed / 3000, 9);
        expect(said.load.value).toBeCloseTo(tries / 3000, 9);
        expect(said.p50Ms.value).toBeCloseTo(p50Ms, 1);
        expect(said.p99Ms.value).toBeCloseTo(p99Ms, 1);
        expect(said.unseen).toBe(0);
      }
    },
  );

  it('is right about true runs with other settings in nine of ten figures', async () => {
    let held = 0;
    let failures = 0;
    let all = 0;
    for (const name of REPLAYED) {
      const { replays, failureRatio, p50Ms, p99Ms, load } = await cover(name, [5], CHANGES, 4000);
      failures += failureRatio;
      held += failureRatio + p50Ms + p99Ms + load;
      all += 4 * replays;
    }
    expect(held / all).toBeGreaterThanOrEqual(0.9);
    expect(failures / (all / 4)).toBeGreaterThanOrEqual(0.9);
  }, 300_000);
});

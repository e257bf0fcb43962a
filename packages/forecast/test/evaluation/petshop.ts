import { readFileSync } from 'node:fs';
import type { Step } from '../../src/predict/step.ts';
import type { Method } from './detector.ts';

/**
 * Recorded incidents: PetShop, a demonstration system on AWS with injected faults, from
 * amazon-science/petshop-root-cause-analysis (CC-BY-4.0). One row stands for five minutes. What the
 * predictor calls a step is then five minutes long.
 */
interface PetShop {
  readonly source: string;
  readonly licence: string;
  readonly calm: Readonly<Record<string, readonly Row[]>>;
  readonly issues: readonly {
    readonly traffic: string;
    readonly issue: string;
    readonly metric: string;
    readonly onset: number;
    readonly rows: readonly Row[];
  }[];
}
type Row = readonly [requests: number, failed: number, meanMs: number, sd: number];

export interface PetShopFigures {
  readonly method: string;
  readonly issues: number;
  /** Issues that were called within their rows. */
  readonly called: number;
  /** Of those in the first five minutes after the onset. */
  readonly atOnce: number;
  readonly falseSecondsPerDay: number;
  readonly calmHours: number;
}

const ROW_S = 300;

export function petShop(): PetShop {
  return JSON.parse(
    readFileSync(new URL('./data/petshop.json', import.meta.url), 'utf8'),
  ) as PetShop;
}

/**
 * A threshold for the other traffic's recording is taken from each calm recording, so that no method is
 * tuned on what it is measured on: at most one false row a day.
 */
export function measurePetShop(method: Method, data: PetShop): PetShopFigures {
  const scores = Object.fromEntries(
    Object.entries(data.calm).map(([traffic, rows]) => {
      const detector = method.create();
      return [traffic, rows.map((row) => detector.update(stepOf(row)))];
    }),
  );
  const other = (traffic: string): readonly number[] =>
    Object.entries(scores).find(([name]) => name !== traffic)?.[1] ?? [];
  const thresholds = Object.fromEntries(
    Object.keys(scores).map((traffic) => [traffic, thresholdFor(other(traffic))]),
  );
  let falseRows = 0;
  let rows = 0;
  for (const [traffic, calm] of Object.entries(scores)) {
    rows += calm.length;
    falseRows += calm.filter((one) => one >= (thresholds[traffic] as number)).length;
  }
  let called = 0;
  let atOnce = 0;
  for (const { traffic, onset, rows: own } of data.issues) {
    const detector = method.create();
    for (const row of data.calm[traffic] as readonly Row[]) detector.update(stepOf(row));
    const judged = own.map((row) => detector.update(stepOf(row)));
    const first = judged.findIndex(
      (one, i) => i >= onset && one >= (thresholds[traffic] as number),
    );
    if (first === -1) continue;
    called++;
    if (first <= onset + 1) atOnce++;
  }
  return {
    method: method.name,
    issues: data.issues.length,
    called,
    atOnce,
    falseSecondsPerDay: Math.round((falseRows * 86_400) / rows),
    calmHours: Math.round((rows * ROW_S) / 3600),
  };
}

function thresholdFor(scores: readonly number[]): number {
  const sorted = [...scores].sort((a, b) => b - a);
  const highest = sorted[Math.floor((scores.length * ROW_S) / 86_400)] as number;
  return highest + Math.max(1e-9, Math.abs(highest) * 1e-9);
}

function stepOf([calls, failed, meanMs, sd]: Row): Step {
  return {
    calls,
    failed,
    slow: 0,
    logDuration: calls === 0 ? 0 : Math.log(meanMs),
    logVariance: sd * sd,
    retries: 0,
    timeouts: 0,
    queue: 0,
    oneKey: false,
  };
}

import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interleave, type Run, type Timed, type Turns } from './interleave.ts';
import { profile, type Share } from './profile.ts';
import { median } from './statistics.ts';
import type { Bench, Measure, Overhead } from './types.ts';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../src');
/** The output folder of this package. */
export const built: string = join(here, '../dist');

/** Result of one row in one process. */
export interface RowResult {
  readonly group: string;
  readonly name: string;
  readonly floor: boolean;
  readonly isUnit?: boolean | undefined;
  readonly aim?: number | undefined;
  readonly against?: string | undefined;
  /** Median over the batches, in nanoseconds per operation. */
  readonly ns: number;
  /** Allocated heap bytes per operation; undefined when it could not be measured. */
  readonly bytes?: number | undefined;
  /** Where its time goes; taken only where the aim is missed. */
  readonly profile?: readonly Share[] | undefined;
}

/** Result of one figure in one process. */
export interface FigureResult {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  readonly aim?: number | undefined;
  readonly against?: string | undefined;
  readonly value: number;
}

/** Result of one suite in one process. */
export interface SuiteResult {
  /** Path under `bench/src`, without extension. */
  readonly suite: string;
  readonly rows: readonly RowResult[];
  readonly figures: readonly FigureResult[];
  readonly overheads: readonly Overhead[];
}

/**
 * The suites, such as `retry/first-try`: files in the folders of `src` that import a row type. They are
 * detected in the source text, because importing other files there would run them.
 */
export function findSuites(): string[] {
  return readdirSync(source, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) =>
      readdirSync(join(source, entry.name))
        .filter((file) => /^[^.]+\.ts$/.test(file))
        .filter((file) =>
          readFileSync(join(source, entry.name, file), 'utf8').includes("from '../types.ts'"),
        )
        .map((file) => `${entry.name}/${basename(file, '.ts')}`),
    )
    .sort();
}

/** Runs all rows and figures that a module exports. */
export async function runSuite(
  suite: string,
  exported: object,
  turns: Turns,
): Promise<SuiteResult> {
  const arrays: unknown[] = Object.values(exported)
    .filter((value) => Array.isArray(value))
    .flat();
  const has = <T>(key: keyof T) =>
    arrays.filter(
      (entry): entry is T => typeof entry === 'object' && entry !== null && key in entry,
    );
  const rows: RowResult[] = [];
  for (const group of Map.groupBy(has<Bench>('fn'), (row) => row.group).values()) {
    rows.push(...(await runGroup(group, turns)));
  }
  const figures: FigureResult[] = [];
  const wanted = has<Measure>('measure').filter(({ long }) => !(turns.short && long));
  for (const { group, name, unit, aim, against, measure } of wanted) {
    figures.push({ group, name, unit, aim, against, value: await measure() });
  }
  return { suite, rows, figures, overheads: has<Overhead>('over') };
}

async function runGroup(group: readonly Bench[], turns: Turns): Promise<RowResult[]> {
  for (const row of group) await row.setup?.();
  const marked = group.findIndex((row) => row.floor === true);
  const floor = group[Math.max(0, marked)];
  const results: RowResult[] = [];
  const runs = new Map<string, Pick<Timed, 'row' | 'run'>>();
  for (const { row, run, samples } of await interleave(group, turns)) {
    const { name, isUnit, aim, against } = row;
    const ns = median(samples);
    const bytes = await bytesPerOperation(row, run, ns);
    const isFloor = row === floor;
    results.push({ group: row.group, name, floor: isFloor, isUnit, aim, against, ns, bytes });
    runs.set(name, { row, run });
  }
  const profiled = turns.short ? results : await withProfiles(results, runs);
  for (const row of group) await row.teardown?.();
  return profiled;
}

/** How long a row that misses its aim runs under the profiler, in milliseconds. */
const PROFILE_MS = 500;

async function withProfiles(
  results: readonly RowResult[],
  runs: ReadonlyMap<string, Pick<Timed, 'row' | 'run'>>,
): Promise<RowResult[]> {
  const found: RowResult[] = [];
  for (const result of results) {
    const { name, aim = Number.POSITIVE_INFINITY, against, ns } = result;
    const other = results.find((one) => (against === undefined ? one.floor : one.name === against));
    const timed = runs.get(name);
    if (timed === undefined || other === undefined || ns / other.ns <= aim) {
      found.push(result);
      continue;
    }
    const { row, run } = timed;
    const times = Math.ceil((PROFILE_MS * 1e6) / (ns * (row.operations ?? 1)));
    found.push({ ...result, profile: await profile(() => run(row.fn, times)) });
  }
  return found;
}

async function bytesPerOperation(row: Bench, run: Run, ns: number): Promise<number | undefined> {
  const operations = row.operations ?? 1;
  // Few enough calls to avoid a collection of the young generation and a long measurement.
  const calls = Math.min(1000, Math.floor(20e6 / (ns * operations)));
  if (globalThis.gc === undefined || calls < 10) return undefined;
  const found: number[] = [];
  for (let i = 0; i < 5; i++) {
    globalThis.gc({ type: 'minor' });
    const before = process.memoryUsage().heapUsed;
    await run(row.fn, calls);
    const bytes = (process.memoryUsage().heapUsed - before) / (calls * operations);
    if (bytes >= 0) found.push(bytes); // negative: a garbage collection happened in between
  }
  return found.length === 0 ? undefined : median(found);
}

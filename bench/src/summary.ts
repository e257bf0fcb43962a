import type { Share } from './profile.ts';
import { median } from './statistics.ts';
import type { FigureResult, SuiteResult } from './suite.ts';
import type { RowName } from './types.ts';

/** One row over all processes. */
export interface RowSummary {
  readonly suite: string;
  readonly group: string;
  readonly name: string;
  readonly floor: boolean;
  /** Whether its floor does other work, so that it may be faster. */
  readonly isUnit: boolean;
  /** Median of the ratios to the floor, each taken within one process. */
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
  readonly ns: number;
  readonly bytes: number | undefined;
  readonly aim: Aim | undefined;
  /** Where its time goes, from the last process that missed the aim. */
  readonly profile: readonly Share[] | undefined;
}

/** An aim and its measured value. */
export interface Aim {
  readonly against: string;
  readonly most: number;
  readonly measured: number;
  readonly met: boolean;
}

/** One figure over all processes. */
export interface FigureSummary extends Omit<FigureResult, 'aim' | 'against'> {
  readonly suite: string;
  readonly aim: Aim | undefined;
}

/** The overhead of one row over another, in nanoseconds. */
export interface OverheadSummary {
  readonly title: string;
  readonly ns: number;
  readonly aim: Aim | undefined;
}

export interface Summary {
  readonly rows: readonly RowSummary[];
  readonly figures: readonly FigureSummary[];
  readonly overheads: readonly OverheadSummary[];
}

interface Taken {
  readonly suite: string;
  readonly process: SuiteResult;
}

/** Aggregates the results of all processes as medians of ratios taken within one process. */
export function summarize(results: readonly SuiteResult[]): Summary {
  const processes = results.map((process) => ({ suite: process.suite, process }));
  const rows = summarizeRows(processes);
  return { rows, figures: summarizeFigures(processes), overheads: overheads(results, rows) };
}

function aimOf(against: string, most: number | undefined, measured: number): Aim | undefined {
  if (most === undefined) return undefined;
  return { against, most, measured, met: measured <= most };
}

function summarizeRows(taken: readonly Taken[]): RowSummary[] {
  const found = taken.flatMap(({ suite, process }) =>
    process.rows.map((row) => {
      const group = process.rows.filter((other) => other.group === row.group);
      const floor = group.find((other) => other.floor) ?? row;
      const against = group.find((other) => other.name === row.against) ?? floor;
      return {
        suite,
        row,
        isUnit: floor.isUnit === true,
        against: against.name,
        ratio: row.ns / floor.ns,
        of: row.ns / against.ns,
      };
    }),
  );
  const byRow = Map.groupBy(found, ({ suite, row }) => `${suite}|${row.group}|${row.name}`);
  return [...byRow.values()].map((all) => {
    const [first] = all as [(typeof all)[0]];
    const { suite, row, isUnit, against } = first;
    const ratios = all.map((one) => one.ratio);
    const bytes = all.map((one) => one.row.bytes).filter((one) => one !== undefined);
    return {
      suite,
      group: row.group,
      name: row.name,
      floor: row.floor,
      isUnit,
      ratio: median(ratios),
      least: Math.min(...ratios),
      most: Math.max(...ratios),
      ns: median(all.map((one) => one.row.ns)),
      bytes: bytes.length === 0 ? undefined : median(bytes),
      aim: aimOf(against, row.aim, median(all.map((one) => one.of))),
      profile: all.findLast((one) => one.row.profile !== undefined)?.row.profile,
    };
  });
}

function summarizeFigures(taken: readonly Taken[]): FigureSummary[] {
  const found = taken.flatMap(({ suite, process }) =>
    process.figures.map((figure) => {
      const { group, against } = figure;
      const other = process.figures.find((one) => one.group === group && one.name === against);
      return { suite, figure, of: figure.value / (other?.value ?? 1) };
    }),
  );
  const byFigure = Map.groupBy(
    found,
    (one) => `${one.suite}|${one.figure.group}|${one.figure.name}`,
  );
  return [...byFigure.values()].map((all) => {
    const [first] = all as [(typeof all)[0]];
    const value = median(all.map((one) => one.figure.value));
    const { aim, against, unit, ...figure } = first.figure;
    const measured = median(all.map((one) => one.of));
    return {
      ...figure,
      unit,
      suite: first.suite,
      value,
      aim: aimOf(against ?? unit, aim, measured),
    };
  });
}

function overheads(
  results: readonly SuiteResult[],
  rows: readonly RowSummary[],
): OverheadSummary[] {
  const find = ({ suite, name }: RowName): RowSummary | undefined =>
    rows.find((row) => row.suite === suite && row.name === name);
  const wanted = new Map(results.flatMap((one) => one.overheads).map((one) => [one.title, one]));
  const floors = rows.filter((row) => row.floor);
  return [...wanted.values()].flatMap(({ title, of, over, aimNs }) => {
    const [more, less] = [find(of), find(over)];
    const floor = floors.find((row) => row.suite === over.suite && row.group === less?.group);
    if (more === undefined || less === undefined || floor === undefined) return [];
    const ns = (more.ratio - less.ratio) * floor.ns;
    return [{ title, ns, aim: aimOf('ns', aimNs, ns) }];
  });
}

import type { Attributes, Cell, MetricDefinition } from './definitions.ts';
import type { Life } from './life.ts';
import { joinAttributes, seriesKey } from './series.ts';

/** One exported series of a counter. */
export interface CounterSeries {
  readonly attributes: Attributes;
  /** What the series ends with; `undefined` for one that lives as long as the process. */
  readonly life: Life | undefined;
  /** What is counted in directly, and what policies that no longer exist have counted. */
  readonly cell: Cell;
  /** The value as of the last collection. */
  total: number;
}

/** A counted metric with its series. */
export class CounterFamily {
  readonly definition: MetricDefinition;
  readonly series: Map<string, CounterSeries> = new Map();

  constructor(definition: MetricDefinition) {
    this.definition = definition;
  }

  /** @param life - what the series ends with; it lives as long as the process without */
  of(attributes: Attributes, life?: Life): CounterSeries {
    const key = seriesKey(attributes);
    let series = this.series.get(key);
    if (series === undefined) {
      series = { attributes, life, cell: { value: 0 }, total: 0 };
      this.series.set(key, series);
      life?.note(key);
    }
    return series;
  }
}

/** For each thing that a policy counts, the attributes of the series that it counts in. */
export type Variants<K extends string> = Readonly<Record<K, Attributes>>;

/** Plain integers that one policy counts in, read at collection. */
export type Counts<K extends string> = Record<K, number>;

/** The counts of one policy, and the series that they add to. */
export class Tally {
  readonly family: CounterFamily;
  readonly counts: Counts<string>;
  readonly base: Attributes;
  life: Life;
  readonly #variants: Variants<string>;
  /** Looked up at the first collection, so that creating a policy stays cheap. */
  #series: readonly (readonly [key: string, series: CounterSeries])[] | undefined;
  /** What was counted into series that have been dropped. */
  #dropped: Counts<string> | undefined;
  /** All counts together when the policy was disposed of, or when it was last seen to count after that. */
  #settled = -1;

  constructor(family: CounterFamily, base: Attributes, variants: Variants<string>, life: Life) {
    this.family = family;
    this.base = base;
    this.life = life;
    this.#variants = variants;
    this.counts = {};
    for (const key in variants) this.counts[key] = 0;
  }

  /** Adds the counts to the totals of the present collection. */
  collect(): void {
    if (this.#isDropped()) return;
    for (const [key, series] of this.#resolve()) series.total += this.#count(key);
  }

  /** Moves the counts into the series: their policy no longer exists. */
  retire(): void {
    if (this.#isDropped()) return;
    for (const [key, { cell }] of this.#resolve()) {
      cell.value += this.#count(key);
      this.counts[key] = 0;
    }
    this.#dropped = undefined;
  }

  /** Its policy is disposed of; the counts are not expected to change any more. */
  settle(): void {
    this.#settled = this.#sum();
  }

  /** @returns whether the policy has counted since it was disposed of, or since this was last asked */
  countsOn(): boolean {
    const sum = this.#sum();
    if (sum === this.#settled) return false;
    this.#settled = sum;
    return true;
  }

  /** The series were dropped; what is counted from now on opens them anew. */
  drop(): void {
    this.#series = undefined;
    this.#dropped = { ...this.counts };
  }

  #isDropped(): boolean {
    if (this.#dropped === undefined || this.#series !== undefined) return false;
    for (const key in this.counts) if (this.#count(key) !== 0) return false;
    return true;
  }

  #count(key: string): number {
    return (this.counts[key] as number) - (this.#dropped?.[key] ?? 0);
  }

  #sum(): number {
    let sum = 0;
    for (const key in this.counts) sum += this.counts[key] as number;
    return sum;
  }

  #resolve(): readonly (readonly [string, CounterSeries])[] {
    this.#series ??= Object.entries(this.#variants).map(
      ([key, attributes]) =>
        [key, this.family.of(joinAttributes(this.base, attributes), this.life)] as const,
    );
    return this.#series;
  }
}

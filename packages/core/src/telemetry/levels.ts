import type { Attributes, MetricDefinition } from './definitions.ts';
import { seriesKey } from './series.ts';

/** How a living policy reports its levels when they are read. */
export type Emit = (definition: MetricDefinition, attributes: Attributes, value: number) => void;

/** Reads the levels of an owner. One function per kind of owner, which must not close over it. */
export type ReadLevels<T> = (owner: T, emit: Emit) => void;

/** The level of a series: what all policies that feed it come to. */
export interface Level {
  readonly attributes: Attributes;
  value: number;
}

/** Level series by key. */
export type Levels = Map<string, Level>;

const DEFAULT_MERGE: Readonly<
  Record<MetricDefinition['instrument'], NonNullable<MetricDefinition['merge']>>
> = { counter: 'sum', updowncounter: 'sum', gauge: 'max', histogram: 'sum' };

/** Adds a level to the series with this key, by what the metric means. */
export function mergeLevel(
  levels: Levels,
  definition: MetricDefinition,
  key: string,
  attributes: Attributes,
  value: number,
): void {
  const level = levels.get(key);
  if (level === undefined) {
    levels.set(key, { attributes, value });
    return;
  }
  switch (definition.merge ?? DEFAULT_MERGE[definition.instrument]) {
    case 'sum':
      level.value += value;
      break;
    case 'min':
      level.value = Math.min(level.value, value);
      break;
    default:
      level.value = Math.max(level.value, value);
  }
}

/** Keys of series without the attribute that tells states apart, by their attributes: computed once. */
const restKeys = new WeakMap<Attributes, string>();

function restKey(attributes: Attributes, without: string): string {
  let key = restKeys.get(attributes);
  if (key === undefined) {
    const { [without]: _, ...rest } = attributes;
    key = seriesKey(rest);
    restKeys.set(attributes, key);
  }
  return key;
}

/** Of the states that policies of one name are in, leaves the worst at 1. */
export function onlyWorst(levels: Levels, { states }: MetricDefinition): void {
  if (states === undefined) return;
  const { attribute, worstFirst } = states;
  const worst = new Map<string, { readonly level: Level; readonly rank: number }>();
  for (const level of levels.values()) {
    if (level.value !== 1) continue;
    const key = restKey(level.attributes, attribute);
    const rank = worstFirst.indexOf(level.attributes[attribute] as never);
    const other = worst.get(key);
    if (other === undefined || rank < other.rank) {
      if (other !== undefined) other.level.value = 0;
      worst.set(key, { level, rank });
    } else if (rank > other.rank) {
      level.value = 0;
    }
  }
}

import type { FigureSummary, Summary } from './summary.ts';

/** Libraries that people would use in our place; other rows show what is possible. */
const PEERS = [
  'async-retry',
  'cockatiel',
  'Effect',
  'exponential-backoff',
  'limiter',
  'opossum',
  'OpenTelemetry',
  'p-limit',
  'p-retry',
  'prom-client',
  'rate-limiter-flexible',
];

/** Whether this is a row or figure of Temper. */
export const isOurs = (name: string): boolean => name.startsWith('temper');
const isPeer = (name: string): boolean => PEERS.some((peer) => name.startsWith(peer));

/** A row or figure of Temper that a peer of its group beats. */
export interface Loss {
  readonly what: string;
  /** Ratio to the floor, or the figure. */
  readonly own: number;
  readonly unit: string | undefined;
  /** Those that beat it, the best first. */
  readonly peers: readonly { readonly name: string; readonly value: number }[];
  /** How many times the best of them. */
  readonly times: number;
}

interface Entry {
  readonly group: string;
  readonly suite: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string | undefined;
}

/**
 * Every row and figure of Temper that a peer beats, the greatest losses first. Less is better in all. Rows
 * compared by a mere unit do different work, so that none of them beats another.
 */
export function losses({ rows, figures }: Summary): Loss[] {
  const all: Entry[] = [
    ...rows
      .filter(({ isUnit }) => !isUnit)
      .map((row) => ({ ...row, value: row.ratio, unit: undefined })),
    ...figures,
  ];
  return all
    .filter(({ name }) => isOurs(name))
    .flatMap((own): Loss[] => {
      const peers = all
        .filter(({ group, suite }) => group === own.group && suite === own.suite)
        .filter(({ name, value }) => isPeer(name) && value < own.value)
        .toSorted((a, b) => a.value - b.value);
      const [best] = peers;
      if (best === undefined) return [];
      const { group, name, value, unit } = own;
      return [{ what: `${group}: ${name}`, own: value, unit, peers, times: value / best.value }];
    })
    .toSorted((a, b) => b.times - a.times);
}

/** A row that is faster than the floor of its group. */
export interface WrongFloor {
  readonly group: string;
  readonly name: string;
  readonly ratio: number;
}

/** Groups whose floor is not the fastest code, to two digits, unless that floor is a mere unit. */
export function wrongFloors({ rows }: Pick<Summary, 'rows'>): WrongFloor[] {
  return rows
    .filter(({ isUnit, ratio }) => !isUnit && Math.round(ratio * 100) < 100)
    .toSorted((a, b) => a.ratio - b.ratio);
}

/** The rows and figures of Temper that have no aim. */
export function withoutAim({ rows, figures }: Summary): string[] {
  const all: readonly Pick<FigureSummary, 'group' | 'name' | 'aim'>[] = [...rows, ...figures];
  return all
    .filter(({ name, aim }) => isOurs(name) && aim === undefined)
    .map(({ group, name }) => `${group}: ${name}`);
}

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Measure } from '../types.ts';

const WAYS = [
  'prom-client',
  'OpenTelemetry: counters',
  'temper',
  'temper, metric producer',
] as const;
type Way = (typeof WAYS)[number];

const CHILD = fileURLToPath(new URL('./scrape-child.js', import.meta.url));

/** A figure of `scrape-child.ts`. */
function inChild(what: 'scrape' | 'collect' | 'bytes', way: Way, series: number): number {
  const args = ['--expose-gc', CHILD, what, way, String(series)];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

const SIZES = [1_000, 10_000, 50_000];
const inWords = (series: number): string => series.toLocaleString('en').replaceAll(',', ' ');

/** The next aims of the plan: a producer collects 10 000 series in 10 ms, at 550 bytes each. */
const AIMS: Record<string, number> = { collect: 10, bytes: 550 };
const aimOf = (what: string, way: Way, series: number): { aim?: number } => {
  const aim = way === 'temper, metric producer' && series === 10_000 ? AIMS[what] : undefined;
  return aim === undefined ? {} : { aim };
};

export const scrapes: readonly Measure[] = SIZES.flatMap((series) =>
  WAYS.flatMap((way): Measure[] => [
    {
      group: `one scrape of ${inWords(series)} series, on the event loop`,
      name: way,
      unit: 'ms',
      long: series > 1_000,
      measure: () => inChild('scrape', way, series),
    },
    {
      group: `the same without the text: collecting ${inWords(series)} series`,
      name: way,
      unit: 'ms',
      long: series > 1_000,
      measure: () => inChild('collect', way, series),
      ...aimOf('collect', way, series),
    },
    {
      group: `memory of ${inWords(series)} series`,
      name: way,
      unit: 'bytes/series',
      long: series > 1_000,
      measure: () => inChild('bytes', way, series),
      ...aimOf('bytes', way, series),
    },
  ]),
);

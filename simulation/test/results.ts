import { readFileSync, writeFileSync } from 'node:fs';
import type { KindName } from './kinds.ts';
import { type Passage, type Passages, TRIAL_NAMES, type Trial, type Variant } from './liveness.ts';
import type { Tally } from './search.ts';

/** Seeds whose tally a test repeats. */
export const FIRST_SEEDS = 60;

/** A search, and what its first seeds alone gave, which a test can repeat. */
interface SearchResult {
  readonly all: Tally;
  readonly first: Tally;
}

/** What the last runs of the commands have found. */
export interface Results {
  /** Of `pnpm simulate --write`. */
  readonly search: SearchResult;
  /** Of `pnpm reliability`: a line for each pipeline and variant. */
  readonly passages: Readonly<Record<string, string>>;
}

const FILE = new URL('../results.json', import.meta.url);

export function readResults(): Results {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Results;
}

export function writeResults(results: Results): void {
  writeFileSync(FILE, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** The name of a line. */
export const lineOf = (kinds: readonly KindName[], variant: Variant): string =>
  `${kinds.join(' > ')}, ${variant}`;

/** A line: recovery in seconds, goodput and load of each outage. */
export function toLine(passages: Passages): string {
  if (passages === null) return 'refused';
  return TRIAL_NAMES.map((trial) => {
    const { recoverySeconds, goodput, load } = passages[trial];
    return `${recoverySeconds ?? 'never'} ${goodput} ${load}`;
  }).join(', ');
}

export function fromLine(line: string): Passages {
  if (line === 'refused') return null;
  const passages = line.split(', ').map((text, i): [Trial, Passage] => {
    const [seconds, goodput, load] = text.split(' ');
    const recoverySeconds = seconds === 'never' ? null : Number(seconds);
    return [
      TRIAL_NAMES[i] as Trial,
      { recoverySeconds, goodput: Number(goodput), load: Number(load) },
    ];
  });
  return Object.fromEntries(passages) as Record<Trial, Passage>;
}

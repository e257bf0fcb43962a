import { readFileSync, writeFileSync } from 'node:fs';
import { KIND_NAMES, type KindName, kindOf } from './kinds.ts';
import {
  hasVariant,
  isLate,
  layersOf,
  PAIRS,
  type Passage,
  type Passages,
  statedSeconds,
  TRIAL_NAMES,
  type Trial,
  VARIANTS,
  type Variant,
} from './liveness.ts';
import { reasonFor } from './reasons.ts';
import { fromLine, lineOf, type Results, readResults } from './results.ts';
import { TRIPLES } from './triples.ts';

const DOCUMENT = new URL('../../docs/reliability.md', import.meta.url);

export const readDocument = (): string => readFileSync(DOCUMENT, 'utf8');

/** Writes the figures of the results into the document. */
export function writeDocument(): void {
  writeFileSync(DOCUMENT, render(readDocument(), readResults()));
}

/** The document with the figures of these results. The text between the marked blocks stays. */
export function render(document: string, results: Results): string {
  const blocks: Readonly<Record<string, string>> = {
    tried: tried(results),
    policies: policies(),
    'recovery-defaults': matrix(results, 'defaults', recovery),
    'overload-defaults': matrix(results, 'defaults', overload),
    'load-defaults': matrix(results, 'defaults', load),
    'recovery-documented': matrix(results, 'documented', recovery),
    'overload-documented': matrix(results, 'documented', overload),
    'load-documented': matrix(results, 'documented', load),
    orders: orders(results),
    exceptions: exceptions(results),
  };
  let text = document;
  for (const [name, block] of Object.entries(blocks)) {
    const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from === -1 || to === -1) throw new Error(`docs/reliability.md has no block ${name}`);
    text = `${text.slice(0, from + begin.length)}\n\n${block}\n\n${text.slice(to)}`;
  }
  return text;
}

function tried({ search: { all }, passages }: Results): string {
  const pipelines = Object.values(passages).filter((line) => line !== 'refused').length;
  const rows = [
    ['random pipelines', all.seeds - all.refused],
    ['calls of them', all.calls],
    ['requests to their dependencies', all.requests],
    ['violations of safety or liveness', all.failures],
    ['pipelines of the tables below, each through four outages', pipelines],
    ['orders that are refused at construction', Object.keys(passages).length - pipelines],
  ] as const;
  const reached = Object.entries(all.reached)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([state, count]) => `${state} (${count})`);
  return [
    table(
      ['tried', 'number'],
      rows.map(([what, count]) => [what, count.toLocaleString('en')]),
    ),
    '',
    `In so many of the random pipelines: ${reached.join(', ')}.`,
  ].join('\n');
}

function policies(): string {
  const options = (kind: KindName, variant: Variant): string => {
    const shown = JSON.stringify(layersOf([kind], variant)[0]?.options);
    return shown === '{}'
      ? ''
      : `\`${shown.replaceAll('"', '').replaceAll(':', ': ').replaceAll(',', ', ')}\``;
  };
  const rows = KIND_NAMES.map((kind, i) => [
    `${i + 1}`,
    kind,
    options(kind, 'defaults'),
    kindOf(kind).documented === undefined ? '' : options(kind, 'documented'),
  ]);
  return table(
    ['', 'policy', 'options of the tables of defaults', 'options of the other tables'],
    rows,
  );
}

/** A cell of a matrix: what it shows, and whether it needs a reason. */
type Cell = (
  passages: NonNullable<Passages>,
  kinds: readonly KindName[],
  variant: Variant,
) => string;

const seconds = ({ recoverySeconds }: Passage): string =>
  recoverySeconds === null ? '∞' : `${recoverySeconds}`;

function worst(trials: readonly Trial[]): Cell {
  return (passages, kinds, variant) => {
    const all = trials.map((trial) => passages[trial]);
    const longest = all.reduce((a, b) =>
      (a.recoverySeconds ?? Number.POSITIVE_INFINITY) >=
      (b.recoverySeconds ?? Number.POSITIVE_INFINITY)
        ? a
        : b,
    );
    const late = trials.some((trial) => isLate(layersOf(kinds, variant), trial, passages[trial]));
    return late ? `**${seconds(longest)}**` : seconds(longest);
  };
}

const recovery = worst(['error', 'hang', 'slow']);
const overload = worst(['overload']);
const load: Cell = (passages) =>
  Math.max(...TRIAL_NAMES.map((trial) => passages[trial].load)).toFixed(1);

/** Outer policies as rows, inner ones as columns, and each alone on the diagonal. */
function matrix({ passages }: Results, variant: Variant, cell: Cell): string {
  const show = (outer: KindName, inner: KindName): string => {
    const kinds = outer === inner ? [outer] : [outer, inner];
    const found = read(passages, kinds, hasVariant(kinds) ? variant : 'defaults');
    return found === null ? '×' : cell(found, kinds, variant);
  };
  return table(
    ['outer \\ inner', ...KIND_NAMES.map((_, i) => `${i + 1}`)],
    KIND_NAMES.map((outer, i) => [
      `${i + 1} ${outer}`,
      ...KIND_NAMES.map((inner) => show(outer, inner)),
    ]),
  );
}

function read(
  passages: Results['passages'],
  kinds: readonly KindName[],
  variant: Variant,
): Passages {
  const line = passages[lineOf(kinds, variant)];
  if (line === undefined) throw new Error(`results.json has no ${lineOf(kinds, variant)}`);
  return fromLine(line);
}

function orders({ passages }: Results): string {
  const rows = TRIPLES.flatMap((kinds) =>
    VARIANTS.filter((variant) => variant === 'defaults' || hasVariant(kinds)).map((variant) => {
      const found = read(passages, kinds, variant);
      const cells = TRIAL_NAMES.map((trial) => {
        if (found === null) return '×';
        const passage = found[trial];
        const late = isLate(layersOf(kinds, variant), trial, passage);
        const shown = `${seconds(passage)} s, ×${passage.load.toFixed(1)}`;
        return late ? `**${shown}**` : shown;
      });
      return [kinds.join(' > '), variant, ...cells];
    }),
  );
  return table(['order', 'options', ...TRIAL_NAMES], rows);
}

/** Every pipeline that does not recover in its time, by the reason why. */
function exceptions({ passages }: Results): string {
  const byReason = new Map<string, string[]>();
  for (const kinds of [...PAIRS, ...TRIPLES]) {
    for (const variant of VARIANTS) {
      if (variant === 'documented' && !hasVariant(kinds)) continue;
      const found = read(passages, kinds, variant);
      if (found === null) continue;
      const layers = layersOf(kinds, variant);
      for (const trial of TRIAL_NAMES) {
        const passage = found[trial];
        if (!isLate(layers, trial, passage)) continue;
        const reason = reasonFor(kinds, variant, trial);
        const list = byReason.get(reason) ?? [];
        byReason.set(reason, list);
        const after = `${seconds(passage)} of ${statedSeconds(layers, trial)} s`;
        list.push(
          `${kinds.join(' > ')} (${variant}, ${trial}: ${after}, goodput ${passage.goodput})`,
        );
      }
    }
  }
  if (byReason.size === 0) return 'None.';
  return [...byReason]
    .map(
      ([reason, list]) =>
        `- ${reason}\n  <details><summary>${list.length} pipelines</summary>\n\n  ${list.join('; ')}.\n\n  </details>`,
    )
    .join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

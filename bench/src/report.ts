import type { Aim, RowSummary, Summary } from './summary.ts';
import { isOurs, losses, withoutAim, wrongFloors } from './verdicts.ts';

/** Where and how it was measured. */
export interface Setting {
  readonly date: string;
  /** What was measured: a commit, and whether the sources differed from it. */
  readonly commit: string;
  readonly node: string;
  readonly machine: string;
  readonly load: string;
  readonly processes: number;
  readonly batchMs: number;
  readonly turns: number;
  /** Suites of which a process failed, with what it said; and whatever else spoils the figures. */
  readonly failures: readonly string[];
}

const digits = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString('en').replaceAll(',', ' ')
    : Number.isInteger(value)
      ? `${value}`
      : value.toPrecision(3);
/** Ratios to two digits after the point, as far as that says anything. */
const ratio = (value: number): string => (value < 0.1 ? value.toPrecision(2) : value.toFixed(2));

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The whole page, in Markdown. */
export function report(summary: Summary, setting: Setting): string {
  return [
    '# What it costs',
    `Measured ${setting.date} at commit ${setting.commit} on ${setting.machine}, Node ${setting.node}, load average ${setting.load} at the start. Rows of one group took turns in batches of ${setting.batchMs} ms, ${setting.turns} batches each, in ${setting.processes} ${setting.processes === 1 ? 'process' : 'processes'} per suite. A ratio is taken within one process; shown is the median over the processes, with the least and the most. Nanoseconds and bytes are for orientation.`,
    ...failures([...setting.failures, ...floors(summary)]),
    '## Losses',
    lost(summary),
    '## Aims',
    aims(summary),
    ...groups(summary),
    ...figures(summary),
    ...overheads(summary),
  ].join('\n\n');
}

function failures(failed: readonly string[]): string[] {
  return failed.length === 0
    ? []
    : ['## What went wrong', failed.map((one) => `- ${one}`).join('\n')];
}

/** Floors that are no floors. */
function floors(summary: Summary): string[] {
  return wrongFloors(summary).map(
    (row) => `floor is not the fastest: ${row.group}: ${row.name} has ${ratio(row.ratio)}`,
  );
}

/** Where a peer is better than Temper. */
function lost(summary: Summary): string {
  const all = losses(summary);
  if (all.length === 0) return 'No row or figure of Temper is beaten by a peer of its group.';
  const cell = (value: number, unit: string | undefined): string =>
    unit === undefined ? ratio(value) : `${digits(value)} ${unit}`;
  return table(
    ['what', 'Temper', 'peers that are better', 'times the best'],
    all.map(({ what, own, unit, peers, times }) => [
      what,
      cell(own, unit),
      peers.map(({ name, value }) => `${name} ${cell(value, unit)}`).join(', '),
      ratio(times),
    ]),
  );
}

interface Judged {
  readonly what: string;
  readonly aim: Aim;
  readonly show: (value: number) => string;
  readonly by: string;
}

function judged({ rows, figures, overheads }: Summary): Judged[] {
  const found: (Omit<Judged, 'aim'> & { readonly aim: Aim | undefined })[] = [
    ...rows.map(({ group, name, aim }) => ({
      what: `${group}: ${name}`,
      aim,
      show: ratio,
      by: ` × ${aim?.against}`,
    })),
    ...figures.map(({ group, name, unit, aim }) => ({
      what: `${group}: ${name}`,
      aim,
      show: aim?.against === unit ? digits : ratio,
      by: aim?.against === unit ? ` ${unit}` : ` × ${aim?.against}`,
    })),
    ...overheads.map(({ title, aim }) => ({ what: title, aim, show: digits, by: ' ns' })),
  ];
  return found.filter((one): one is Judged => one.aim !== undefined);
}

function aims(summary: Summary): string {
  const all = judged(summary);
  const missed = all.filter(({ aim }) => !aim.met);
  const verdict =
    missed.length === 0
      ? `${all.length === 0 ? 'No aim was measured' : `All ${all.length} aims are met`}.`
      : `${all.length - missed.length} of ${all.length} aims are met.`;
  const missedFirst = all.toSorted((a, b) => Number(a.aim.met) - Number(b.aim.met));
  const rows = missedFirst.map(({ what, aim, show, by }) => [
    what,
    `≤ ${show(aim.most)}${by}`,
    show(aim.measured),
    aim.met ? 'met' : '**missed**',
  ]);
  return [
    verdict,
    table(['what', 'aim', 'measured', ''], rows),
    ...aimless(summary),
    ...bounds(summary.rows),
  ].join('\n\n');
}

/** What bounds the rows that miss their aim: where their time goes. */
function bounds(rows: readonly RowSummary[]): string[] {
  const missed = rows.filter(({ aim, profile }) => aim?.met === false && profile !== undefined);
  if (missed.length === 0) return [];
  return [
    '### Where the time of a missed row goes',
    "Shares of V8's sampling profiler, the function itself without what it calls, taken after the row was measured.",
    ...missed.map(
      ({ group, name, profile = [] }) =>
        `- ${group}: **${name}**: ${profile.map(({ where, share }) => `${Math.round(share * 100)} % ${where}`).join('; ')}.`,
    ),
  ];
}

/** Rows of Temper that nothing is expected of. */
function aimless(summary: Summary): string[] {
  const all = withoutAim(summary);
  return all.length === 0 ? [] : [`Without an aim: ${all.join('; ')}.`];
}

function groups({ rows }: Summary): string[] {
  const byGroup = Map.groupBy(rows, ({ suite, group }) => `${suite}|${group}`);
  return [...byGroup.values()].flatMap((group) => {
    const [first] = group as [RowSummary];
    const lines = group
      .toSorted((a, b) => Number(b.floor) - Number(a.floor))
      .map(({ name, ratio: middle, least, most, ns, bytes }) => [
        isOurs(name) ? `**${name}**` : name,
        ratio(middle),
        `${ratio(least)} to ${ratio(most)}`,
        digits(ns),
        bytes === undefined ? '' : digits(bytes),
      ]);
    const header = ['', 'ratio', 'least to most', 'ns per operation', 'bytes'];
    return [`## ${first.group}`, `Suite \`${first.suite}\`.`, table(header, lines)];
  });
}

function figures({ figures }: Summary): string[] {
  const byGroup = Map.groupBy(figures, ({ group }) => group);
  return [...byGroup].flatMap(([group, all]) => [
    `## ${group}`,
    table(
      ['', 'measured', 'unit'],
      all.map(({ name, value, unit }) => [name, digits(value), unit]),
    ),
  ]);
}

function overheads({ overheads }: Summary): string[] {
  if (overheads.length === 0) return [];
  return [
    '## What one thing costs more than another',
    'Differences of ratios to equal floors, as both could not run in one process.',
    table(
      ['', 'ns'],
      overheads.map(({ title, ns }) => [title, digits(ns)]),
    ),
  ];
}

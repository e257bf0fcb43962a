import { bestLead, defaultWins, type Evaluation, type MethodFigures } from './evaluate.ts';
import { BASELINES, DEFAULT } from './methods.ts';

/** The tables of docs/evaluation.md, from the figures. */
export function tables(evaluation: Evaluation): Readonly<Record<string, string>> {
  const { methods, petShop, calibration } = evaluation;
  const kinds = Object.keys(methods[0]?.leadByKind ?? {});
  const calms = Object.keys(methods[0]?.falseByKind ?? {});
  return {
    methods: table(
      [
        'method',
        'mean lead, s',
        'median lead, s',
        'called before users notice',
        'recall',
        'precision',
        'false s per day',
        'false warnings per day',
        'ns per call',
      ],
      methods.map((one) => [
        name(one.method),
        whole(one.meanLeadS),
        whole(one.medianLeadS),
        percent(one.early),
        percent(one.recall),
        percent(one.precision),
        whole(one.falseSecondsPerDay),
        one.falseWarningsPerDay.toFixed(1),
        whole(one.nsPerCall),
      ]),
    ),
    lead: table(
      ['median lead, s', ...kinds],
      methods.map((one) => [
        name(one.method),
        ...kinds.map((kind) => whole(one.leadByKind[kind] as number)),
      ]),
    ),
    false: table(
      ['false s per day', ...calms],
      methods.map((one) => [
        name(one.method),
        ...calms.map((kind) => whole(one.falseByKind[kind] as number)),
      ]),
    ),
    petshop: table(
      ['method', 'called', 'in the first ten minutes', 'false s per day'],
      petShop.map((one) => [
        name(one.method),
        `${one.called} of ${one.issues}`,
        String(one.atOnce),
        whole(one.falseSecondsPerDay),
      ]),
    ),
    calibration: table(
      ['predicted', 'observed', 'steps'],
      calibration.bins.map((bin) => [
        bin.predicted.toFixed(3),
        bin.observed.toFixed(3),
        String(bin.steps),
      ]),
    ),
    verdict: verdict(evaluation),
  };
}

/** What holds of the default against the baselines, in words that the figures choose. */
function verdict(evaluation: Evaluation): string {
  const own = evaluation.methods.find(({ method }) => method === DEFAULT) as MethodFigures;
  const others = BASELINES.map((baseline) => {
    const figures = evaluation.methods.find(({ method }) => method === baseline) as MethodFigures;
    const lead = bestLead(figures, own.falseSecondsPerDay);
    return lead === undefined
      ? `the ${baseline} reaches no such rate with any of its thresholds`
      : `the ${baseline} has ${whole(lead)} s`;
  });
  const word = defaultWins(evaluation) ? 'beats' : 'does not beat';
  return `With ${whole(own.falseSecondsPerDay)} false seconds a day on the held-out seeds the default has a mean lead time of ${whole(own.meanLeadS)} s; with no more of them, ${others.join(', and ')}. The default ${word} both baselines.`;
}

/** Puts the tables between the marks of a page: `<!-- methods -->` … `<!-- /methods -->`. */
export function fill(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce(
    (text, [part, content]) =>
      text.replace(
        new RegExp(`(<!-- ${part} -->\\n)[\\s\\S]*?(<!-- /${part} -->)`),
        (_, open: string, close: string) => `${open}\n${content}\n\n${close}`,
      ),
    page,
  );
}

const whole = (value: number): string => String(Math.round(value)).replace(/^-0$/, '0');
const percent = (value: number): string => `${Math.round(100 * value)} %`;
const name = (method: string): string => (method === DEFAULT ? `**${method}**` : method);

/** Columns of equal width, as the formatter of this repository writes them. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const widths = header.map((cell, i) =>
    Math.max(cell.length, ...rows.map((row) => (row[i] as string).length)),
  );
  const padded = (cells: readonly string[]): string =>
    line(cells.map((cell, i) => cell.padEnd(widths[i] as number)));
  return [padded(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(padded)].join(
    '\n',
  );
}

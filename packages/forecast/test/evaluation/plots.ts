import type { Evaluation, MethodFigures } from './evaluate.ts';

/** Colours that are told apart on white and on black. */
export const COLOURS = [
  '#8a8f98',
  '#b58900',
  '#cb4b16',
  '#6c71c4',
  '#268bd2',
  '#2aa198',
  '#859900',
  '#d33682',
  '#dc322f',
];
export const WIDTH = 720;
const HEIGHT = 380;
export const LEFT = 70;
export const RIGHT = 210;
const TOP = 36;
const BOTTOM = 50;
/** Plots show false alarms from this rate to {@link MOST}, in seconds per day. */
const LEAST = 5;
const MOST = 5000;

/** Lead time over false alarms, one line per method: higher and further left is better. */
export function plotCurves({ methods }: Evaluation): string {
  const x = (rate: number): number =>
    LEFT +
    ((Math.log(Math.min(MOST, Math.max(LEAST, rate))) - Math.log(LEAST)) / Math.log(MOST / LEAST)) *
      (WIDTH - LEFT - RIGHT);
  const y = scale(-400, 400);
  const lines = methods.map(({ method, curve }, i) => {
    const points = curve
      .filter(({ meanLeadS }) => meanLeadS >= -400)
      .map(
        ({ falseSecondsPerDay, meanLeadS }) =>
          `${fixed(x(falseSecondsPerDay))},${fixed(y(meanLeadS))}`,
      );
    return `<polyline fill="none" stroke="${COLOURS[i]}" stroke-width="${i === methods.length - 1 ? 3 : 1.5}" points="${points.join(' ')}"/>${legend(method, i)}`;
  });
  const ticks = [10, 60, 300, 1000, 4000].map((rate) => tickX(x(rate), String(rate)));
  return svg('Mean lead time over false alarms, held-out seeds', [
    ...[-400, -200, 0, 200, 400].map((lead) => tickY(y(lead), `${lead} s`)),
    ...ticks,
    label('false-alarm seconds per day (logarithmic)'),
    ...lines,
  ]);
}

/** Median lead time by kind of incident, one group of bars per kind. */
export function plotKinds({ methods }: Evaluation): string {
  const shown = methods.filter(({ medianLeadS }) => medianLeadS > -600);
  const kinds = Object.keys(methods[0]?.leadByKind ?? {});
  const y = scale(-600, 400);
  const group = (WIDTH - LEFT - RIGHT) / kinds.length;
  const bar = (group - 8) / shown.length;
  const bars = shown.flatMap((one, i) =>
    kinds.map((kind, k) => {
      const lead = Math.max(-600, one.leadByKind[kind] as number);
      const [from, to] = [y(Math.max(0, lead)), y(Math.min(0, lead))];
      return `<rect x="${fixed(LEFT + k * group + 4 + i * bar)}" y="${fixed(from)}" width="${fixed(bar - 1)}" height="${fixed(Math.max(1, to - from))}" fill="${colourOf(methods, one)}"/>`;
    }),
  );
  return svg('Median lead time by kind of incident, at one false minute a day', [
    ...[-600, -400, -200, 0, 200, 400].map((lead) => tickY(y(lead), `${lead} s`)),
    ...kinds.map((kind, k) => tickX(LEFT + (k + 0.5) * group, kind)),
    ...bars,
    ...shown.map((one, i) => legend(one.method, methods.indexOf(one), i)),
  ]);
}

/** Observed share of incidents over the predicted probability. */
export function plotCalibration({ calibration }: Evaluation): string {
  const y = scale(0, 1);
  const x = (p: number): number => LEFT + p * (WIDTH - LEFT - RIGHT);
  const dots = calibration.bins.map(
    ({ predicted, observed }) =>
      `<circle cx="${fixed(x(predicted))}" cy="${fixed(y(observed))}" r="5" fill="#dc322f"/>`,
  );
  return svg('Calibration of the probability, held-out seeds', [
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((p) => [tickY(y(p), String(p)), tickX(x(p), String(p))]),
    `<line x1="${fixed(x(0))}" y1="${fixed(y(0))}" x2="${fixed(x(1))}" y2="${fixed(y(1))}" stroke="#8a8f98" stroke-dasharray="4 4"/>`,
    label('predicted probability; the dashed line is perfect'),
    ...dots,
  ]);
}

const colourOf = (methods: readonly MethodFigures[], one: MethodFigures): string =>
  COLOURS[methods.indexOf(one)] as string;
export const fixed = (value: number): string => value.toFixed(1);
export const scale =
  (low: number, high: number) =>
  (value: number): number =>
    TOP + ((high - Math.min(high, Math.max(low, value))) / (high - low)) * (HEIGHT - TOP - BOTTOM);
const text = (x: number, y: number, anchor: string, content: string): string =>
  `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${content}</text>`;
export const tickX = (x: number, content: string): string =>
  text(x, HEIGHT - BOTTOM + 18, 'middle', content);
export const tickY = (y: number, content: string): string =>
  `<line x1="${LEFT}" y1="${fixed(y)}" x2="${WIDTH - RIGHT}" y2="${fixed(y)}" stroke="#d8dade"/>${text(LEFT - 8, y + 4, 'end', content)}`;
export const label = (content: string): string =>
  text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 10, 'middle', content);
export const legend = (method: string, colour: number, row: number = colour): string =>
  `<rect x="${WIDTH - RIGHT + 14}" y="${TOP + row * 20}" width="12" height="12" fill="${COLOURS[colour]}"/>${text(WIDTH - RIGHT + 32, TOP + 10 + row * 20, 'start', method)}`;

export function svg(title: string, content: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#30343a">
<title>${title}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${text(LEFT, 20, 'start', title)}
${content.join('\n')}
</svg>
`;
}

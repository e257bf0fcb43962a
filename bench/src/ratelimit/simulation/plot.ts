import type { Run, Scenario } from './scenario.ts';

const WIDTH = 900;
const LEFT = 60;
const RIGHT = 20;
const PANEL = 180;
const GAP = 46;
const COLORS = ['#8a8f98', '#c2571a', '#1a6fc2', '#1d8a4e'];

type Line = readonly number[];

/** Lines over one axis of time. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly { readonly color: string; readonly values: Line }[];
  /** Drawn as an outline behind the lines. */
  readonly ceiling?: Line;
}

/** A moment that is marked by a line and a word below the panels. */
export interface Mark {
  /** Index into the values of a line. */
  readonly at: number;
  readonly label: string;
}

/** Goodput against capacity, and the level of each strategy below it, as one SVG. */
export function plot(title: string, scenario: Scenario, runs: readonly Run[]): string {
  const seconds = runs[0]!.seconds;
  const panels: Panel[] = [
    {
      title: 'Answers in time per second (the outline is what the server can do)',
      ceiling: seconds.map(({ capacity }) => capacity),
      lines: runs.map((run, i) => ({
        color: colorOf(i),
        values: run.seconds.map(({ goodput }) => goodput),
      })),
    },
    ...runs.flatMap((run, i): Panel[] => {
      const values = run.seconds.map(({ level }) => level);
      if (values.every((value) => value === values[0])) return [];
      const color = colorOf(i);
      return [{ title: `${run.name}: its level`, lines: [{ color, values }] }];
    }),
  ];
  let second = 0;
  const marks = scenario.phases.map(({ seconds: length, workers, serviceMs, load }): Mark => {
    const at = second;
    second += length;
    return { at, label: `${workers} × ${serviceMs} ms, load ${load}` };
  });
  const legend = runs.map(
    ({ name, share }) => `${name}: ${(share * 100).toFixed(0)} % of capacity`,
  );
  return figure(title, legend, panels, marks);
}

/** Color of a line by its place in the legend. */
export function colorOf(place: number): string {
  return COLORS[place % COLORS.length]!;
}

/** Panels below each other as one SVG. */
export function figure(
  title: string,
  legend: readonly string[],
  panels: readonly Panel[],
  marks: readonly Mark[],
): string {
  const height = 90 + panels.length * (PANEL + GAP);
  const body = panels.map((panel, i) => draw(panel, 80 + i * (PANEL + GAP), marks)).join('\n');
  const said = legend.map(
    (text, i) => `<tspan fill="${colorOf(i)}" dx="${i === 0 ? 0 : 24}">${xml(text)}</tspan>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
<text x="${LEFT}" y="28" font-size="17" font-weight="600" fill="#1b1f24">${xml(title)}</text>
<text x="${LEFT}" y="52" font-weight="600">${said.join('')}</text>
${body}
</svg>
`;
}

function draw(panel: Panel, top: number, marks: readonly Mark[]): string {
  const all = [...panel.lines.flatMap(({ values }) => values), ...(panel.ceiling ?? [])];
  const most = Math.max(...all) * 1.05 || 1;
  const count = panel.lines[0]!.values.length;
  const x = (second: number) => LEFT + (second / count) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => top + 20 + (1 - value / most) * (PANEL - 20);
  const parts = [
    `<text x="${LEFT}" y="${top + 8}" fill="#1b1f24">${xml(panel.title)}</text>`,
    `<path d="M${LEFT} ${y(0)}H${WIDTH - RIGHT}" stroke="#1b1f24"/>`,
    `<text x="${LEFT - 8}" y="${y(0)}" text-anchor="end" fill="#57606a">0</text>`,
    `<text x="${LEFT - 8}" y="${y(most / 1.05) + 4}" text-anchor="end" fill="#57606a">${label(most / 1.05)}</text>`,
  ];
  for (const { at: second, label: said } of marks) {
    parts.push(
      `<path d="M${x(second)} ${top + 20}V${y(0)}" stroke="#d0d7de" stroke-dasharray="3 3"/>`,
      `<text x="${x(second) + 4}" y="${y(0) + 15}" fill="#57606a" font-size="11">${xml(said)}</text>`,
    );
  }
  if (panel.ceiling !== undefined) {
    const steps = panel.ceiling.map(
      (value, i) => `${i === 0 ? 'M' : 'L'}${at(x(i), y(value))}L${at(x(i + 1), y(value))}`,
    );
    parts.push(
      `<path d="${steps.join('')}" fill="none" stroke="#1b1f24" stroke-width="1.5" opacity="0.35"/>`,
    );
  }
  for (const { color, values } of panel.lines) {
    const points = values.map((value, place) => at(x(place + 0.5), y(value))).join(' ');
    parts.push(`<polyline points="${points}" fill="none" stroke="${color}" stroke-width="1.6"/>`);
  }
  return parts.join('\n');
}

const at = (x: number, y: number): string => `${x.toFixed(1)},${y.toFixed(1)}`;

const label = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));

const xml = (text: string): string =>
  text.replace(/[<&]/g, (sign) => (sign === '<' ? '&lt;' : '&amp;'));

import type { OutageOptions } from './options.ts';
import type { PhaseReport } from './phase.ts';

const WIDTH = 900;
const LEFT = 60;
const RIGHT = 20;
const PANEL = 150;
const GAP = 50;
const GREY = '#8a8f98';
const GREEN = '#1d8a4e';
const ORANGE = '#c2571a';
const BLUE = '#1a6fc2';

interface Line {
  readonly label: string;
  readonly color: string;
  readonly values: readonly number[];
}

interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** Lines of each second below each other, the outages shaded. */
export function plot(
  title: string,
  seconds: readonly PhaseReport[],
  capacity: number,
  outages: readonly OutageOptions[],
): string {
  const line = (label: string, color: string, value: (second: PhaseReport) => number): Line => ({
    label,
    color,
    values: seconds.map(value),
  });
  const panels: Panel[] = [
    {
      title: 'Calls per second, by when they began',
      lines: [
        line('calls', GREY, ({ calls }) => calls),
        line('answered', GREEN, ({ ends }) => ends.answered),
        line('failed', ORANGE, ({ ends }) => ends.failed + ends.late),
      ],
    },
    {
      title: `Requests that the dependency got per second (it can answer ${label(capacity)})`,
      lines: [line('requests', BLUE, ({ calls, load }) => calls * load)],
    },
    {
      title: 'Latency of the answered calls, in milliseconds',
      lines: [
        line('p50', GREEN, ({ latencyMs }) => latencyMs.p50),
        line('p99', ORANGE, ({ latencyMs }) => latencyMs.p99),
      ],
    },
  ];
  const height = 50 + panels.length * (PANEL + GAP);
  const body = panels.map((panel, i) => draw(panel, 50 + i * (PANEL + GAP), outages));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
<text x="${LEFT}" y="28" font-size="17" font-weight="600" fill="#1b1f24">${xml(title)}</text>
${body.join('\n')}
</svg>
`;
}

function draw({ title, lines }: Panel, top: number, outages: readonly OutageOptions[]): string {
  const count = lines[0]?.values.length ?? 0;
  const finite = lines.flatMap(({ values }) => values).filter(Number.isFinite);
  const most = Math.max(1, ...finite);
  const x = (second: number): number => LEFT + (second / count) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => top + 20 + (1 - value / most) * (PANEL - 20);
  const shades = outages.map(({ kind, startMs, durationMs }) => {
    const from = x(Math.min(count, startMs / 1000));
    const to = x(Math.min(count, (startMs + durationMs) / 1000));
    return `<rect x="${from.toFixed(1)}" y="${top + 20}" width="${(to - from).toFixed(1)}" height="${PANEL - 20}" fill="#c2571a" opacity="0.12"><title>${kind}</title></rect>`;
  });
  const legend = lines.map(
    (line) => `<tspan dx="16" fill="${line.color}">${xml(line.label)}</tspan>`,
  );
  return [
    ...shades,
    `<text x="${LEFT}" y="${top + 10}" fill="#1b1f24">${xml(title)}${legend.join('')}</text>`,
    `<path d="M${LEFT} ${y(0)}H${WIDTH - RIGHT}" stroke="#1b1f24"/>`,
    `<text x="${LEFT - 8}" y="${y(0)}" text-anchor="end" fill="#57606a">0</text>`,
    `<text x="${LEFT - 8}" y="${y(most) + 8}" text-anchor="end" fill="#57606a">${label(most)}</text>`,
    `<text x="${WIDTH - RIGHT}" y="${y(0) + 15}" text-anchor="end" fill="#57606a">${count} s</text>`,
    ...lines.map(
      (line) =>
        `<path d="${path(line.values, x, y)}" fill="none" stroke="${line.color}" stroke-width="1.6"/>`,
    ),
  ].join('\n');
}

/** A line with a gap wherever there is no value. */
function path(
  values: readonly number[],
  x: (second: number) => number,
  y: (value: number) => number,
): string {
  let isDrawing = false;
  return values
    .map((value, second) => {
      if (!Number.isFinite(value)) {
        isDrawing = false;
        return '';
      }
      const step = `${isDrawing ? 'L' : 'M'}${x(second + 0.5).toFixed(1)} ${y(value).toFixed(1)}`;
      isDrawing = true;
      return step;
    })
    .join('');
}

const label = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

const xml = (text: string): string =>
  text.replace(/[<&]/g, (sign) => (sign === '<' ? '&lt;' : '&amp;'));

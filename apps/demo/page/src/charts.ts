import { byId, el, setText } from './dom.ts';
import { millis, type Recent } from './recent.ts';
import { SUBSYSTEMS } from './subsystems.ts';
import uPlot from './vendor/uplot.js';
import type { Second } from './wire.ts';

interface Line {
  readonly label: string;
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly value: (second: Second) => number | undefined;
}

const MIN_HEIGHT = 144;
const SPAN_S = 120;

/** A chart of the last two minutes, redrawn each second. */
class Chart {
  readonly #place: HTMLElement;
  readonly #legend: HTMLElement;
  readonly #lines: readonly Line[];
  readonly #log: boolean;
  readonly #unit: string;
  #values: HTMLElement[] = [];
  #plot: uPlot | undefined;
  #data: uPlot.AlignedData = [[]];

  constructor(id: string, lines: readonly Line[], unit: string, log: boolean) {
    this.#place = byId(id);
    this.#legend = byId(`${id}-legend`);
    this.#lines = lines;
    this.#unit = unit;
    this.#log = log;
    this.#key();
    new ResizeObserver(() => this.draw()).observe(this.#place);
  }

  /** @param isLive - whether the newest second is now */
  show(seconds: readonly Second[], isLive: boolean): void {
    this.#data = [
      seconds.map(({ at }) => at / 1_000),
      ...this.#lines.map(({ value }) => seconds.map((second) => value(second) ?? null)),
    ] as uPlot.AlignedData;
    this.#plot?.setData(this.#data);
    const last = seconds.at(-1);
    for (const [index, line] of this.#lines.entries()) {
      const value = last === undefined ? undefined : line.value(last);
      const words = !isLive ? '–' : this.#unit === 'ms' ? millis(value) : String(value ?? 0);
      setText(this.#values[index] as Element, words);
    }
  }

  /** Redraws the chart with the current colours and size. */
  draw(): void {
    const { width, height } = this.#place.getBoundingClientRect();
    if (width === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    this.#plot?.destroy();
    const axis = {
      stroke: colour('muted'),
      font: '11px system-ui, sans-serif',
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
    };
    this.#plot = new uPlot(
      {
        width,
        height: Math.max(MIN_HEIGHT, height),
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 8, 0, 0],
        scales: {
          x: { time: true, range: (_plot, _min, max) => [max - SPAN_S, max] },
          y: this.#log
            ? {
                distr: 3,
                range: (_plot, _min, max) => [
                  0.1,
                  Math.max(100, 10 ** Math.ceil(Math.log10(max || 1))),
                ],
              }
            : { range: (_plot, _min, max) => [0, Math.max(4, Math.ceil((max ?? 0) * 1.15))] },
        },
        axes: [
          { ...axis, size: 28, values: (_plot, at) => at.map((value) => clock(value)), space: 80 },
          {
            ...axis,
            size: 48,
            values: (_plot, at) => at.map(this.#log ? short : String),
            ...(this.#log
              ? {
                  splits: (_plot: uPlot, _axis: number, min: number, max: number) =>
                    tenfolds(min, max),
                }
              : {}),
          },
        ],
        series: [
          {},
          ...this.#lines.map(({ label, colour: name, dash }) => ({
            label,
            stroke: colour(name),
            width: 2,
            points: { show: false },
            spanGaps: true,
            ...(dash === undefined ? {} : { dash: [...dash] }),
          })),
        ],
      },
      this.#data,
      this.#place,
    );
    this.#plot.root.setAttribute('aria-hidden', 'true');
  }

  #key(): void {
    const items = this.#lines.map(({ label, colour, dash }) => {
      const value = el('span', { class: 'legend-value' }, '–');
      this.#values.push(value);
      const swatch = el('span', {
        class: `swatch swatch-${colour}${dash === undefined ? '' : ' dashed'}`,
      });
      return el('li', {}, swatch, `${label} `, value);
    });
    this.#legend.replaceChildren(...items);
  }
}

function tenfolds(min: number, max: number): number[] {
  const [from, to] = [Math.round(Math.log10(min)), Math.round(Math.log10(max))];
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
}
// uPlot passes null for ticks that have no room.
const short = (value: number | null): string =>
  value === null ? '' : value >= 1_000 ? `${value / 1_000} s` : `${value} ms`;
const clock = (seconds: number): string => new Date(seconds * 1_000).toTimeString().slice(0, 8);

/** The charts of outcomes and of latency. */
export class Charts {
  readonly #recent: Recent;
  readonly #goodput: Chart;
  readonly #latency: Chart;
  #operations: readonly string[] = SUBSYSTEMS[0]?.operations ?? [];

  constructor(recent: Recent) {
    this.#recent = recent;
    const total = (second: Second, key: 'successes' | 'degraded' | 'failures'): number =>
      Object.values(second.operations).reduce((sum, one) => sum + one[key], 0);
    this.#goodput = new Chart(
      'goodput',
      [
        { label: 'answered', colour: 'ok', value: (second) => total(second, 'successes') },
        {
          label: 'degraded',
          colour: 'warn',
          dash: [6, 3],
          value: (second) => total(second, 'degraded'),
        },
        {
          label: 'turned away',
          colour: 'away',
          dash: [10, 3],
          value: (second) =>
            second.turnedAway + second.calls - second.goodput - total(second, 'failures'),
        },
        {
          label: 'failed',
          colour: 'bad',
          dash: [2, 3],
          value: (second) => total(second, 'failures'),
        },
      ],
      '/s',
      false,
    );
    const percentile = (key: 'p50Ms' | 'p90Ms' | 'p99Ms') => (second: Second) => {
      const values = this.#operations.flatMap((name) => second.operations[name]?.[key] ?? []);
      return values.length === 0 ? undefined : Math.max(0.1, ...values);
    };
    this.#latency = new Chart(
      'latency',
      [
        { label: 'p50', colour: 'ok', value: percentile('p50Ms') },
        { label: 'p90', colour: 'warn', dash: [6, 3], value: percentile('p90Ms') },
        { label: 'p99', colour: 'bad', dash: [2, 3], value: percentile('p99Ms') },
      ],
      'ms',
      true,
    );
    const choice = byId<HTMLSelectElement>('latency-of');
    choice.append(...SUBSYSTEMS.map(({ id, title }) => el('option', { value: id }, title)));
    choice.addEventListener('change', () => {
      this.#operations = SUBSYSTEMS.find(({ id }) => id === choice.value)?.operations ?? [];
      this.show();
    });
  }

  show(): void {
    const { seconds, connected } = this.#recent;
    this.#goodput.show(seconds, connected);
    this.#latency.show(seconds, connected);
  }

  draw(): void {
    this.#goodput.draw();
    this.#latency.draw();
  }
}

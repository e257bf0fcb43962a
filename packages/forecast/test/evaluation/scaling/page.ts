import { table } from '../page.ts';
import {
  COLOURS,
  fixed,
  LEFT,
  label,
  legend,
  RIGHT,
  scale,
  svg,
  tickX,
  tickY,
  WIDTH,
} from '../plots.ts';
import { DEFAULT_TARGET, helps, type ScalingEvaluation, type ScalingRow } from './evaluate.ts';
import { SIGNAL } from './scalers.ts';
import { KINDS, type Kind } from './traffic.ts';

/** Reactive scalers that the signal is compared with. */
export const REACTIVE = ['reactive, CPU', 'reactive, calls'] as const;

const whole = (value: number): string => String(Math.round(value));

/** The parts of docs/scaling.md, by their marks. */
export function scalingTables(evaluation: ScalingEvaluation): Readonly<Record<string, string>> {
  const header = [
    'scaler',
    'target',
    'replica hours',
    'missed of a million',
    'p99 wait, ms',
    'p99.9 wait, ms',
  ];
  const of = (kind: Kind): string =>
    table(
      [...header, 'season used'],
      evaluation.rows
        .filter((row) => row.kind === kind)
        .map((row) => [
          row.method === SIGNAL ? `**${row.method}**` : row.method,
          row.target.toFixed(1),
          whole(row.replicaHours),
          whole(row.missedPerMillion),
          whole(row.p99WaitMs),
          whole(row.p999WaitMs),
          row.method === SIGNAL ? `${whole(100 * row.predictive)} %` : '',
        ]),
    );
  return {
    ...Object.fromEntries(KINDS.map((kind) => [kind, of(kind)])),
    coverage: table(
      ['week', 'demand within the interval'],
      KINDS.map((kind) => [kind, `${whole(100 * (evaluation.coverage[kind] as number))} %`]),
    ),
    'scaling-verdict': scalingVerdict(evaluation),
  };
}

/** What holds of the signal, in words that the figures choose. */
function scalingVerdict(evaluation: ScalingEvaluation): string {
  const rowOf = (kind: Kind, method: string): ScalingRow =>
    evaluation.rows.find(
      (row) => row.kind === kind && row.method === method && row.target === DEFAULT_TARGET,
    ) as ScalingRow;
  const said = (kind: Kind): string => {
    const own = rowOf(kind, SIGNAL);
    const others = REACTIVE.map((method) => {
      const row = rowOf(kind, method);
      return `${whole(row.missedPerMillion)} in ${whole(row.replicaHours)} by the ${method === REACTIVE[0] ? 'CPU' : 'calls'}`;
    });
    return `the signal misses ${whole(own.missedPerMillion)} of a million calls in ${whole(own.replicaHours)} replica hours, a reactive scaler ${others.join(', ')}`;
  };
  const helped = KINDS.filter((kind) => REACTIVE.every((other) => helps(evaluation, kind, other)));
  const not = KINDS.filter((kind) => !helped.includes(kind));
  const list = (kinds: readonly Kind[]): string =>
    kinds.length === 0 ? 'none' : kinds.map((kind) => `\`${kind}\``).join(', ');
  return `In a week whose days open at nine o'clock, ${said('opening')}. In a week with a failed Monday, a holiday and a crowd, ${said('events')}. Weeks in which it misses less than half as many as both, for at most 2 % more hours: ${list(helped)}. Weeks in which it does not: ${list(not)}.`;
}

/** Missed calls over the cost in the week that opens at nine. */
export function plotCost({ rows }: ScalingEvaluation): string {
  const shown = rows.filter(({ kind }) => kind === 'opening');
  const methods = [...new Set(shown.map(({ method }) => method))];
  const most = Math.max(...shown.map(({ replicaHours }) => replicaHours)) * 1.05;
  const x = (hours: number): number => LEFT + (hours / most) * (WIDTH - LEFT - RIGHT);
  const y = scale(0, 4);
  const log = (missed: number): number => Math.log10(Math.max(1, missed));
  const lines = methods.map((method, i) => {
    const points = shown
      .filter((row) => row.method === method)
      .map((row) => [fixed(x(row.replicaHours)), fixed(y(log(row.missedPerMillion)))] as const);
    const dots = points.map(
      ([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="4" fill="${COLOURS[i * 2]}"/>`,
    );
    const line = points.map((point) => point.join(',')).join(' ');
    return `<polyline fill="none" stroke="${COLOURS[i * 2]}" stroke-width="2" points="${line}"/>${dots.join('')}${legend(method, i * 2, i)}`;
  });
  const ticks = [0, 1, 2, 3, 4].map((power) =>
    tickY(y(power), power === 0 ? '≤ 1' : String(10 ** power)),
  );
  const step = 1000 * Math.ceil(most / 5000);
  const hours = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
  return svg('Missed calls of a million over replica hours, a week that opens at nine', [
    ...ticks,
    ...hours.map((one) => tickX(x(one), String(one))),
    label('replica hours of the week; one dot per target of the utilization'),
    ...lines,
  ]);
}

/** Replicas in a morning. */
export function plotMorning({ drawn }: ScalingEvaluation): string {
  const series = Object.entries({ 'needed at 0.7': drawn.need, ...drawn.replicas });
  const most = Math.max(...series.flatMap(([, values]) => values)) * 1.1;
  const y = scale(0, most);
  const slots = drawn.need.length;
  const x = (slot: number): number => LEFT + (slot / slots) * (WIDTH - LEFT - RIGHT);
  const lines = series.map(([name, values], i) => {
    const points = values.map((value, slot) => `${fixed(x(slot))},${fixed(y(value))}`);
    const dash = i === 0 ? ' stroke-dasharray="4 3"' : '';
    return `<polyline fill="none" stroke="${COLOURS[i * 2]}" stroke-width="2"${dash} points="${points.join(' ')}"/>${legend(name, i * 2, i)}`;
  });
  const step = 10 * Math.ceil(most / 50);
  const counts = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
  const hours = Array.from({ length: drawn.toHour - drawn.fromHour }, (_, i) => drawn.fromHour + i);
  return svg('Replicas on a Tuesday morning, first held-out seed', [
    ...counts.map((count) => tickY(y(count), String(count))),
    ...hours.map((hour) => tickX(x((hour - drawn.fromHour) * 12), `${hour % 24}:00`)),
    label('time of day'),
    ...lines,
  ]);
}

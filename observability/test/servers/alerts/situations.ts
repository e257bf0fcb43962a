import { METRICS } from '../../../src/catalog.ts';
import {
  type NameStyle,
  prometheusLabel,
  prometheusName,
  quotedLabel,
} from '../../../src/prometheus-names.ts';
import type { Signal, Situation, Subject } from './subjects.ts';

/** A series of a promtool test. */
export interface InputSeries {
  readonly series: string;
  readonly values: string;
}

/** What one instance does at a time. */
type Phase = 'normal' | 'faulty' | 'broken' | 'idle' | 'first' | 'gone';

/** One instance over the time of a test. */
interface Timeline {
  readonly cluster: string;
  readonly instance: string;
  /** What it does in the minute that ends at `minute`. */
  readonly phase: (minute: number) => Phase;
  /** When its counters begin anew, in minutes. */
  readonly reset?: number;
  /** Whether its counters begin at {@link HISTORY}. */
  readonly old?: boolean;
  /** Whether it has hardly any traffic. */
  readonly quiet?: boolean;
}

/** When every fault begins, in minutes. */
export const FAULT_AT = 10;
/** Where old counters stand. */
const HISTORY = 1000;
/** Calls per hour with low traffic: too few for a share or a quantile. */
const FEW_PER_HOUR = 7;

/** How long the test of a situation runs, in minutes. */
export function duration(subject: Subject, situation: Situation): number {
  const { after, until } = subject;
  if (situation === 'fault') return FAULT_AT + after;
  if (situation === 'recovery') return FAULT_AT + after + until + 1;
  // With low traffic there must be time for an event.
  return FAULT_AT + after + (situation === 'lowTraffic' ? 20 : 0);
}

/** The series of a situation. */
export function inputSeries(
  subject: Subject,
  situation: Situation,
  style: NameStyle,
  policy: string,
): readonly InputSeries[] {
  const end = duration(subject, situation);
  return timelines(subject, situation).flatMap((timeline) =>
    subject.signals.flatMap((signal) => ({
      series: seriesName(signal, timeline, style, policy),
      values: values(signal, timeline, subject, end).join(' '),
    })),
  );
}

function timelines(subject: Subject, situation: Situation): readonly Timeline[] {
  const { crowd = 0, after, step = 0.25 } = subject;
  const since =
    (phase: Phase, from = FAULT_AT, to = Number.POSITIVE_INFINITY) =>
    (minute: number) =>
      minute > from && minute <= to ? phase : 'normal';
  const healthy = (cluster: string, count: number): Timeline[] =>
    Array.from({ length: count }, (_, index) => ({
      cluster,
      instance: `i${index + 1}`,
      phase: () => 'normal',
    }));
  const first = { cluster: 'a', instance: 'i0' };
  switch (situation) {
    case 'fault':
      return [{ ...first, phase: since('faulty') }, ...healthy('a', crowd)];
    case 'recovery':
      return [
        { ...first, phase: since('faulty', FAULT_AT, FAULT_AT + after) },
        ...healthy('a', crowd),
      ];
    case 'blip':
      return [
        { ...first, phase: since('faulty', FAULT_AT, FAULT_AT + step) },
        ...healthy('a', crowd),
      ];
    case 'lowTraffic':
      return [{ ...first, quiet: true, phase: since('faulty') }, ...healthy('a', crowd)];
    case 'firstEvent':
      return [
        {
          ...first,
          phase: (minute) => (minute > FAULT_AT && minute <= FAULT_AT + step ? 'first' : 'idle'),
        },
        ...healthy('a', crowd),
      ];
    case 'counterReset':
      return [
        { ...first, old: true, reset: FAULT_AT, phase: () => 'normal' },
        ...healthy('a', crowd),
      ];
    case 'restart':
      return [
        { ...first, old: true, phase: (minute) => (minute > FAULT_AT ? 'gone' : 'normal') },
        {
          ...first,
          instance: 'new',
          phase: (minute) => (minute > FAULT_AT + 1 ? 'normal' : 'gone'),
        },
        ...healthy('a', crowd),
      ];
    case 'twoClusters':
      return [
        ...healthy('a', crowd + 1),
        { cluster: 'b', instance: 'i0', phase: since('faulty') },
        ...healthy('b', crowd),
      ];
    default:
      return [{ ...first, phase: since('broken') }, ...healthy('a', 49)];
  }
}

/** The values of a signal, one for each step. `_` is no sample. */
function values(
  signal: Signal,
  timeline: Timeline,
  subject: Subject,
  end: number,
): readonly (number | '_')[] {
  const { step = 0.25 } = subject;
  const samples: (number | '_')[] = [];
  let count = timeline.old ? HISTORY : 0;
  for (let minute = 0; minute <= end; minute += step) {
    const phase = timeline.phase(minute);
    if (
      timeline.reset !== undefined &&
      minute - step < timeline.reset &&
      minute >= timeline.reset
    ) {
      count = 0;
    }
    const now = valueAt(signal, phase);
    if (phase === 'gone' || now === 'gone') {
      samples.push('_');
    } else if (signal.kind === 'level') {
      samples.push(now);
    } else {
      const factor = timeline.quiet && !signal.steady ? FEW_PER_HOUR / 60 / busiest(subject) : 1;
      // The first sample is what was counted before; what is new comes in a step.
      if (minute > 0) count += phase === 'first' ? now : now * step * factor;
      samples.push(Math.floor(count + 1e-9));
    }
  }
  return samples;
}

/** The most that any counter of the subject counts in a minute. */
function busiest({ signals }: Subject): number {
  const rates = signals.flatMap(({ kind, steady, normal, faulty }) =>
    kind === 'counter' && !steady ? [normal, faulty === 'gone' ? 0 : faulty] : [],
  );
  return Math.max(1, ...rates);
}

function valueAt(signal: Signal, phase: Phase): number | 'gone' {
  const { kind, normal, faulty, broken = faulty } = signal;
  switch (phase) {
    case 'faulty':
      return faulty;
    case 'broken':
      return broken;
    case 'first':
      if (kind === 'level') return faulty;
      return signal.first ?? (faulty !== 'gone' && faulty > normal ? 1 : 0);
    case 'idle':
      return kind === 'level' ? normal : 0;
    default:
      return normal;
  }
}

/** The labels of an alert or series by name, in the default configuration. */
export function labelsOf(
  kind: 'policy' | 'instance' | 'check' | 'target',
  style: NameStyle,
  policy: string,
  instance: string,
): readonly [string, string] {
  switch (kind) {
    case 'policy':
      return [prometheusLabel('temper.policy.name', style), policy];
    case 'check':
      return [prometheusLabel('temper.health.check.name', style), 'lsp'];
    case 'target':
      return [prometheusLabel('temper.audit.target', style), 't'];
    default:
      return ['instance', instance];
  }
}

function seriesName(
  { metric, suffix, where = {} }: Signal,
  { cluster, instance }: Timeline,
  style: NameStyle,
  policy: string,
): string {
  const definition = METRICS.get(metric);
  const attributes: Record<string, string> = {};
  for (const { name } of definition?.attributes ?? []) {
    if (name === 'temper.policy.name') attributes[name] = policy;
    if (name === 'temper.health.check.name') attributes[name] = 'lsp';
  }
  const labels = {
    cluster,
    namespace: 'shop',
    job: 'demo',
    instance,
    ...Object.fromEntries(
      Object.entries({ ...attributes, ...where }).map(([name, value]) => [
        prometheusLabel(name, style),
        value,
      ]),
    ),
  };
  const name =
    definition === undefined ? metric : `${prometheusName(definition, style)}${suffix ?? ''}`;
  const matchers = Object.entries(labels).map(
    ([label, value]) => `${quotedLabel(label)}=${JSON.stringify(value)}`,
  );
  return quotedLabel(name) === name
    ? `${name}{${matchers.join(',')}}`
    : `{${[JSON.stringify(name), ...matchers].join(',')}}`;
}

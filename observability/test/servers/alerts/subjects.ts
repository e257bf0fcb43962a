/** A series of the fault that an alert is about, with its values in good and in bad times. */
export interface Signal {
  /** A metric of the catalog, or `up`. */
  readonly metric: string;
  readonly suffix?: '_bucket' | '_count';
  /** Values of attributes besides the policy's name; `le` for a bucket. */
  readonly where?: Readonly<Record<string, string>>;
  readonly kind: 'counter' | 'level';
  /** Counts per minute of a counter, or the value of a level. */
  readonly normal: number;
  /** As {@link normal} during the fault; `gone` when there are no samples. */
  readonly faulty: number | 'gone';
  /** As {@link faulty} where one of fifty instances has it. @defaultValue as faulty */
  readonly broken?: number | 'gone';
  /** What the first faulty call adds. @defaultValue 1 for a counter that rises by the fault, else 0 */
  readonly first?: number;
  /** Whether a counter goes on without traffic. @defaultValue false */
  readonly steady?: boolean;
}

/** What an alert must do in each situation. */
export type Situation =
  | 'fault'
  | 'recovery'
  | 'blip'
  | 'lowTraffic'
  | 'firstEvent'
  | 'counterReset'
  | 'restart'
  | 'twoClusters'
  | 'oneOfFifty';

/** Whether it fires; a text says why it does not do what most alerts do. */
export type Expected = Readonly<
  Record<Exclude<Situation, 'fault' | 'recovery' | 'twoClusters'>, boolean>
>;

export interface Subject {
  readonly signals: readonly Signal[];
  /** Labels that the alert has besides cluster, namespace and job. */
  readonly labels: readonly ('policy' | 'instance' | 'check' | 'target')[];
  /** How long the fault must last until the alert fires, in minutes. */
  readonly after: number;
  /** How long after its end it still may fire, in minutes. */
  readonly until: number;
  /** Healthy instances beside the faulty one. @defaultValue 0 */
  readonly crowd?: number;
  /** Minutes between two samples. @defaultValue 0.25 */
  readonly step?: number;
  /** What differs from {@link USUAL}. */
  readonly expected?: Partial<Expected>;
}

/** Loud on one bad instance; quiet on everything that passes by itself, and on little traffic. */
export const USUAL: Expected = {
  blip: false,
  lowTraffic: false,
  firstEvent: false,
  counterReset: false,
  restart: false,
  oneOfFifty: true,
};

const counter = (
  metric: string,
  where: Readonly<Record<string, string>>,
  normal: number,
  faulty: number,
  more: Partial<Signal> = {},
): Signal => ({ metric, where, kind: 'counter', normal, faulty, ...more });
const level = (
  metric: string,
  where: Readonly<Record<string, string>>,
  normal: number,
  faulty: number | 'gone',
): Signal => ({ metric, where, kind: 'level', normal, faulty });

const outcomes = (
  metric: string,
  good: string,
  bad: string,
  share: readonly [good: number, bad: number],
): readonly Signal[] => [
  counter(metric, { 'temper.outcome': good }, 100, share[0], { broken: 0, first: 0 }),
  counter(metric, { 'temper.outcome': bad }, 0, share[1], { broken: 100 }),
];

const bucket = (le: string, faulty: number, first: number): Signal =>
  counter('temper.breaker.call.duration', { 'temper.outcome': 'success', le }, 100, faulty, {
    suffix: '_bucket',
    first,
    broken: le === '5' ? 0 : 100,
  });

/** One state of several that are 1 and 0. */
const state = (metric: string, states: Readonly<Record<string, readonly [number, number]>>) =>
  Object.entries(states).map(([name, [normal, faulty]]) =>
    level(metric, { [metric]: name }, normal, faulty),
  );
const CIRCUIT = state('temper.breaker.state', {
  closed: [1, 0],
  open: [0, 1],
  'half-open': [0, 0],
  isolated: [0, 0],
});
const CHECK = state('temper.health.status', {
  healthy: [1, 0],
  degraded: [0, 0],
  unhealthy: [0, 1],
});
/** A state is what it is without traffic too. */
const STATE = { lowTraffic: true };
const process = (metric: string, faulty: number, after: number): Subject => ({
  signals: [level(metric, {}, 0.3, faulty)],
  labels: ['instance'],
  after,
  until: 1,
  expected: STATE,
});

/** A subject for every alert. */
export const SUBJECTS: Readonly<Record<string, Subject>> = {
  TemperCircuitOpen: {
    signals: CIRCUIT,
    labels: ['policy'],
    after: 2,
    // It outlives the alerts that it inhibits.
    until: 8,
    // One of fifty is the matter of TemperCircuitOpenOnInstance.
    expected: { ...STATE, oneOfFifty: false },
  },
  TemperCircuitOpenOnInstance: {
    signals: CIRCUIT,
    labels: ['policy', 'instance'],
    after: 6,
    until: 2,
    crowd: 9,
    expected: STATE,
  },
  TemperCircuitFlapping: {
    signals: [
      counter(
        'temper.breaker.transitions',
        { 'temper.breaker.from': 'closed', 'temper.breaker.to': 'open' },
        0,
        1,
      ),
    ],
    labels: ['policy'],
    after: 9,
    until: 31,
  },
  TemperFailurePredicted: {
    signals: [level('temper.forecast.failure.warning', {}, 0, 1)],
    labels: ['policy'],
    after: 2,
    until: 1,
    expected: STATE,
  },
  TemperUnhealthy: {
    signals: CHECK,
    labels: ['check'],
    after: 2,
    until: 1,
    // One of fifty is the matter of TemperUnhealthyOnInstance.
    expected: { ...STATE, oneOfFifty: false },
  },
  TemperUnhealthyOnInstance: {
    signals: CHECK,
    labels: ['check', 'instance'],
    after: 6,
    until: 1,
    crowd: 9,
    expected: STATE,
  },
  TemperShutdownHung: {
    signals: [level('temper.shutdown.stopping', {}, 0, 1)],
    labels: ['policy', 'instance'],
    after: 2,
    until: 1,
    expected: STATE,
  },
  TemperShutdownIncomplete: {
    signals: [counter('temper.shutdown.handlers', { 'temper.outcome': 'timed_out' }, 0, 4)],
    labels: ['policy'],
    after: 3,
    until: 16,
    // One handler that was given up is work that may be lost.
    expected: { blip: true, lowTraffic: true, firstEvent: true },
  },
  TemperErrorRateHigh: {
    signals: outcomes('temper.breaker.calls', 'success', 'failure', [95, 5]),
    labels: ['policy'],
    after: 8,
    until: 6,
  },
  TemperErrorBudgetBurn: {
    signals: outcomes('temper.breaker.calls', 'success', 'rejected', [60, 40]),
    labels: ['policy'],
    after: 60,
    until: 10,
    step: 1,
    // The budget of the service lasts; TemperErrorRateHigh fires.
    expected: { oneOfFifty: false },
  },
  TemperErrorBudgetBurnSlow: {
    signals: outcomes('temper.breaker.calls', 'success', 'failure', [85, 15]),
    labels: ['policy'],
    after: 300,
    until: 60,
    step: 4,
    expected: { oneOfFifty: false },
  },
  TemperRetriesExhausted: {
    signals: outcomes('temper.retry.operations', 'success', 'exhausted', [80, 20]),
    labels: ['policy'],
    after: 8,
    until: 6,
  },
  TemperRetryBudgetSpent: {
    signals: [
      level('temper.retry.budget.available', {}, 10, 0),
      counter(
        'temper.retry.attempts',
        { 'temper.outcome': 'failure', 'error.type': 'ECONNREFUSED' },
        0,
        30,
      ),
    ],
    labels: ['policy'],
    after: 9,
    until: 3,
  },
  TemperLatencyHigh: {
    signals: [
      bucket('5', 50, 0),
      bucket('10', 100, 1),
      bucket('+Inf', 100, 1),
      counter('temper.breaker.call.duration', { 'temper.outcome': 'success' }, 100, 100, {
        suffix: '_count',
        first: 1,
      }),
    ],
    labels: ['policy'],
    after: 8,
    until: 6,
  },
  TemperRateLimited: {
    signals: outcomes('temper.ratelimit.requests', 'allowed', 'rejected', [80, 20]),
    labels: ['policy'],
    after: 8,
    until: 6,
  },
  TemperStoreUnreachable: {
    signals: [counter('temper.ratelimit.store.errors', { 'error.type': 'ECONNREFUSED' }, 0, 60)],
    labels: ['policy'],
    after: 5,
    until: 3,
  },
  TemperTargetAbsent: {
    signals: [level('temper.shutdown.stopping', {}, 0, 'gone')],
    labels: [],
    after: 12,
    until: 1,
    // The others are still there; TemperTargetDown fires.
    expected: { ...STATE, oneOfFifty: false },
  },
  TemperTargetDown: {
    signals: [level('up', {}, 1, 0), level('temper.shutdown.stopping', {}, 0, 'gone')],
    labels: ['instance'],
    after: 6,
    until: 1,
    expected: STATE,
  },
  TemperMemoryHigh: process('process.memory.utilization', 0.85, 6),
  TemperCpuHigh: process('process.cpu.utilization', 0.9, 6),
  TemperEventLoopBusy: process('nodejs.eventloop.utilization', 0.95, 3),
  TemperAuditLoss: {
    signals: [
      counter('temper.audit.events', { 'temper.outcome': 'stored' }, 100, 0, { first: 0 }),
      counter('temper.audit.events', { 'temper.outcome': 'dropped' }, 0, 100),
    ],
    labels: ['policy'],
    after: 3,
    until: 16,
    // A single event that is lost cannot be made good.
    expected: { blip: true, lowTraffic: true, firstEvent: true },
  },
  TemperAuditNotDurable: {
    signals: [
      counter('temper.audit.events', { 'temper.outcome': 'degraded' }, 0, 60),
      level('temper.audit.pending', {}, 0, 50),
    ],
    labels: ['policy'],
    after: 4,
    until: 2,
    expected: STATE,
  },
  TemperAuditBehind: {
    signals: [
      level('temper.audit.ship.lag', { 'temper.audit.target': 't' }, 0, 50),
      // The target is tried again without new events.
      counter('temper.audit.ship.errors', { 'temper.audit.target': 't' }, 0, 2, { steady: true }),
    ],
    labels: ['policy', 'target'],
    after: 12,
    until: 1,
    expected: STATE,
  },
};

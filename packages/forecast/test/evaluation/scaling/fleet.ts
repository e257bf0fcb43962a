import { TICK_S, type Traffic } from './traffic.ts';

/** Calls that a replica runs at the same time, and how long one takes, in milliseconds. */
export const CONCURRENCY = 16;
export const SERVICE_MS = 80;
/** Calls that a replica serves per second at most. */
export const PER_REPLICA: number = (CONCURRENCY * 1000) / SERVICE_MS;
/** Longest wait of a call, in seconds. Those that would wait longer are missed. */
const LONGEST_WAIT_S = 2;
/** How often the autoscaler decides, in ticks: 15 s. */
const SYNC_TICKS = 3;
/** Widths of the histogram of waits, in seconds. */
const WAIT_STEP_S = 0.02;

/** What a scaler sees. */
export interface View {
  /** Since the start of the simulation, in seconds. */
  readonly at: number;
  readonly arrivals: number;
  readonly inFlight: number;
  readonly queued: number;
  /** Calls that were not served, since the start. */
  readonly rejected: number;
  /** Share of the capacity that was in use over the last minute, from 0 to 1. */
  readonly utilization: number;
  /** Calls that arrived per second over the last minute. */
  readonly rate: number;
  readonly ready: number;
  /** Replicas that were ordered, those that start included. */
  readonly ordered: number;
}

/** Says how many replicas there should be. */
export interface Scaler {
  desired(view: View): number;
  /** Called at each reading after the decision, for scalers that say what they do. */
  readonly mode?: () => string;
}

/** What a week came to. */
export interface Week {
  /** Replicas times hours, those that start included. */
  readonly replicaHours: number;
  /** Share of the calls that were not served. */
  readonly missed: number;
  /** Wait that one call of a thousand exceeds, in seconds. */
  readonly p999WaitS: number;
  /** Wait that one call of a hundred exceeds, in seconds. */
  readonly p99WaitS: number;
  /** Hours of the week by mode of the scaler. */
  readonly modes: Readonly<Record<string, number>>;
  /** Replicas at every full five minutes of the week. */
  readonly replicas: readonly number[];
}

/**
 * Runs a fleet: calls that exceed the capacity wait, replicas that are ordered need time to start and are
 * paid for meanwhile, those that are given back stop at once.
 */
export function runFleet({ arrivals, from, startS }: Traffic, scaler: Scaler): Week {
  const startTicks = Math.round(startS / TICK_S);
  const starting: number[] = [];
  let ready = Math.ceil((arrivals[0] as number) / TICK_S / (PER_REPLICA * 0.5));
  let backlog = 0;
  let total = 0;
  const recent: { used: number; calls: number }[] = [];
  let cost = 0;
  let calls = 0;
  let missed = 0;
  let rejected = 0;
  const waits = new Float64Array(Math.ceil(LONGEST_WAIT_S / WAIT_STEP_S) + 2);
  const modes: Record<string, number> = {};
  const replicas: number[] = [];
  for (let tick = 0; tick < arrivals.length; tick++) {
    while (starting.length > 0 && (starting[0] as number) <= tick) {
      starting.shift();
      ready++;
    }
    const came = arrivals[tick] as number;
    const capacity = ready * PER_REPLICA * TICK_S;
    total += came;
    const served = Math.min(backlog + came, capacity);
    backlog += came - served;
    const most = (capacity / TICK_S) * LONGEST_WAIT_S;
    const lost = Math.max(0, backlog - most);
    backlog -= lost;
    rejected += lost;
    recent.push({ used: capacity > 0 ? served / capacity : 1, calls: came });
    if (recent.length > 60 / TICK_S) recent.shift();
    if (tick >= from) {
      cost += ready + starting.length;
      calls += came;
      missed += lost;
      const wait = capacity > 0 ? backlog / (capacity / TICK_S) : LONGEST_WAIT_S;
      const bin = Math.min(waits.length - 1, Math.ceil(wait / WAIT_STEP_S));
      waits[bin] = (waits[bin] as number) + came;
      if ((tick * TICK_S) % 300 === 0) replicas.push(ready + starting.length);
    }
    if (tick % SYNC_TICKS !== 0) continue;
    const ordered = ready + starting.length;
    const wanted = scaler.desired({
      at: tick * TICK_S,
      arrivals: total,
      inFlight: (served / TICK_S) * (SERVICE_MS / 1000),
      queued: backlog,
      rejected,
      utilization: mean(recent.map(({ used }) => used)),
      rate: mean(recent.map((one) => one.calls)) / TICK_S,
      ready,
      ordered,
    });
    if (tick >= from && scaler.mode !== undefined) {
      const mode = scaler.mode();
      modes[mode] = (modes[mode] ?? 0) + (SYNC_TICKS * TICK_S) / 3600;
    }
    // Kubernetes adds at most as many as there are, or four, within 15 seconds.
    const target = Math.max(1, Math.min(wanted, Math.max(2 * ordered, ordered + 4)));
    for (let i = ordered; i < target; i++) starting.push(tick + startTicks);
    for (let i = ordered; i > target; i--) if (starting.pop() === undefined) ready--;
  }
  return {
    replicaHours: (cost * TICK_S) / 3600,
    missed: missed / calls,
    p99WaitS: quantile(waits, 0.99),
    p999WaitS: quantile(waits, 0.999),
    modes,
    replicas,
  };
}

function quantile(waits: Float64Array, share: number): number {
  const all = waits.reduce((a, b) => a + b, 0);
  let below = 0;
  for (let bin = 0; bin < waits.length; bin++) {
    below += waits[bin] as number;
    if (below >= share * all) return bin * WAIT_STEP_S;
  }
  return LONGEST_WAIT_S;
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

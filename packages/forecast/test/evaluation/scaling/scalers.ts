import { scalingSignal } from '../../../src/scaling/index.ts';
import { Stabilizer } from '../../../src/scaling/replicas.ts';
import { CONCURRENCY, PER_REPLICA, type Scaler, type View } from './fleet.ts';
import { TICK_S, type Traffic } from './traffic.ts';

const TOLERANCE = 0.1;
const WINDOW_MS = 300_000;
/** Most replicas, for all scalers. */
const MOST = 400;

/** A scaler, and what it needs to know of the traffic before. */
export interface Method {
  readonly name: string;
  /** @param utilization - its target */
  create(traffic: Traffic, utilization: number): Scaler;
}

/** As many as the peak of the weeks before needs. */
const fixed: Method = {
  name: 'static',
  create: ({ arrivals, from }, utilization) => {
    let peak = 0;
    // The highest mean of five minutes.
    const span = 300 / TICK_S;
    for (let tick = 0; tick + span <= from; tick += span) {
      let calls = 0;
      for (let i = 0; i < span; i++) calls += arrivals[tick + i] as number;
      peak = Math.max(peak, calls / 300);
    }
    const replicas = Math.ceil(peak / PER_REPLICA / utilization);
    return { desired: () => replicas };
  },
};

/** The horizontal autoscaler: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ */
function hpa(ratio: (view: View) => number): Scaler {
  const stabilizer = new Stabilizer(WINDOW_MS);
  return {
    desired: (view) => {
      const of = ratio(view);
      const within = Math.abs(of - 1) <= TOLERANCE;
      const wanted = within ? view.ordered : Math.ceil(view.ordered * of);
      return Math.min(MOST, stabilizer.add(view.at * 1000, wanted));
    },
  };
}

/** By CPU: the utilization of the replicas that are ready; those that start count as idle. */
const byCpu: Method = {
  name: 'reactive, CPU',
  create: (_, utilization) =>
    hpa((view) => {
      const used = view.utilization / utilization;
      // A replica that is not ready counts as idle where it would be scaled up.
      return used > 1 ? Math.max(1, (used * view.ready) / view.ordered) : used;
    }),
};

/** By the calls that arrive: they are not hidden by replicas that are fully used. */
const byRate: Method = {
  name: 'reactive, calls',
  create: (_, utilization) => hpa((view) => view.rate / PER_REPLICA / utilization / view.ordered),
};

/** A clock that stands still until `at` is set: Monday at midnight, UTC, and the milliseconds since. */
export function standingClock() {
  return {
    at: 0,
    now(): number {
      return 1_704_067_200_000 + this.at;
    },
    monotonic(): number {
      return this.at;
    },
    sleep: (): Promise<void> => Promise.reject(new Error('nobody sleeps')),
    schedule: () => ({ cancel: () => {}, ref: () => {}, unref: () => {} }),
  };
}

/** Name of the signal of this package among the methods. */
export const SIGNAL = 'scalingSignal';

/** The signal of this package, read every 15 seconds. */
const signal: Method = {
  name: SIGNAL,
  create: ({ startS }, utilization) => {
    let view: View | undefined;
    const clock = standingClock();
    const scaling = scalingSignal({
      name: 'simulated',
      scope: 'service',
      concurrency: CONCURRENCY,
      targetUtilization: utilization,
      maxReplicas: MOST,
      leadMs: startS * 1000 + 30_000,
      clock,
      sources: {
        arrivals: () => view?.arrivals ?? 0,
        inFlight: () => view?.inFlight ?? 0,
        queued: () => view?.queued ?? 0,
        rejected: () => view?.rejected ?? 0,
      },
    });
    let mode = 'learning';
    return {
      desired: (seen) => {
        view = seen;
        clock.at = seen.at * 1000;
        const said = scaling.recommendation();
        mode = said.mode;
        return said.desired ?? seen.ordered;
      },
      mode: () => mode,
    };
  },
};

export const METHODS: readonly Method[] = [fixed, byCpu, byRate, signal];

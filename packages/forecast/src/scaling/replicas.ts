/** What the number of replicas follows from. */
export interface Need {
  /** Calls per second. */
  readonly rate: number;
  /** Mean time that a call runs, without its wait, in milliseconds. */
  readonly serviceTimeMs: number;
  /** Calls that wait. */
  readonly queued: number;
  /** Time in which those that wait are to be served, in milliseconds. */
  readonly drainMs: number;
  /** Calls that a replica runs at the same time. */
  readonly concurrency: number;
  /** Share of the concurrency that is to be in use, from 0 to 1. */
  readonly utilization: number;
}

/**
 * Replicas for a demand, as a fraction. By Little's law (Operations Research 9, 1961) the mean number of
 * calls that run is their rate times their mean time; the backlog is a second rate, for the time in which
 * it is to be drained.
 */
export function replicasFor(need: Need): number {
  const { rate, serviceTimeMs, queued, drainMs, concurrency, utilization } = need;
  const running = (rate / 1000 + queued / drainMs) * serviceTimeMs;
  return running / (concurrency * utilization);
}

/** Parts that the stabilization window is divided into. */
const PARTS = 10;

/**
 * The largest recommendation of a window, as the horizontal autoscaler of Kubernetes takes it before it
 * scales down. In ten parts of constant memory: the window is at most a tenth longer than said.
 */
export class Stabilizer {
  readonly #partMs: number;
  readonly #highest: Float64Array = new Float64Array(PARTS + 1);
  #part = Number.NaN;

  /** @param windowMs - 0 for none */
  constructor(windowMs: number) {
    this.#partMs = windowMs / PARTS;
  }

  /** @returns the largest value of the window, this one included */
  add(now: number, value: number): number {
    if (this.#partMs === 0) return value;
    const part = Math.floor(now / this.#partMs);
    const passed = part - this.#part;
    if (!(passed >= 0 && passed <= PARTS)) this.#highest.fill(0);
    else for (let i = this.#part + 1; i <= part; i++) this.#highest[i % (PARTS + 1)] = 0;
    this.#part = part;
    const own = part % (PARTS + 1);
    this.#highest[own] = Math.max(this.#highest[own] as number, value);
    return this.#highest.reduce((a, b) => Math.max(a, b), 0);
  }
}

/** Bounds and tolerance of the number of replicas of a service. */
export interface Bounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Relative change of the need that changes nothing. */
  readonly tolerance: number;
}

/** Whole replicas within the bounds. @param current - the last number; `undefined` at first */
export function wholeReplicas(need: number, current: number | undefined, bounds: Bounds): number {
  const { minReplicas, maxReplicas, tolerance } = bounds;
  const within = current !== undefined && Math.abs(need / current - 1) <= tolerance;
  // Less than a thousandth of a replica is rounding: adapters of Kubernetes cut there too.
  const whole = within ? current : Math.ceil(need - 0.001);
  return Math.min(maxReplicas, Math.max(minReplicas, whole));
}

/** Standard deviations on each side that hold this share of a normal distribution. */
export function deviations(confidence: number): number {
  // Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23: error below 0.00045.
  const t = Math.sqrt(-2 * Math.log((1 - confidence) / 2));
  const above = 2.515517 + 0.802853 * t + 0.010328 * t * t;
  const below = 1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t;
  return t - above / below;
}

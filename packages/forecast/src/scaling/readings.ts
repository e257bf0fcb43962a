import { askNumber } from '@temper/core/policy';
import type { ResolvedScalingOptions, ScalingSources } from './options.ts';

/** Readings closer together than this are one, in milliseconds. */
const SHORTEST_MS = 1000;
/** Time constant of the rate: half a minute smooths what single readings have by chance. */
export const RATE_MS = 30_000;
/** Time constant of the service time, in milliseconds. */
const SERVICE_MS = 300_000;

/** Sources that may be without a value. */
const OTHERS = ['inFlight', 'queued', 'rejected', 'serviceTimeMs', 'replicas'] as const;

/** Calls between two readings. */
export interface Interval {
  /** Monotonic, in milliseconds. */
  readonly at: number;
  readonly lengthMs: number;
  readonly calls: number;
}

/** Reads the sources, and what the rate and the service time are. */
export class Readings {
  readonly #name: string;
  readonly #sources: ScalingSources;
  readonly #values: Partial<Record<keyof ScalingSources, number>> = {};
  /** Calls per second of this scope, over about half a minute; `undefined` until two readings. */
  rate: number | undefined;
  /** When `arrivals` was read last, monotonic; `undefined` before. */
  at: number | undefined;
  /** The same of all replicas. */
  demand = 0;
  #serviceMs: number | undefined;
  #inFlight = 0;
  #completions = 0;
  /** Calls that have left the queue, served or rejected or given up. */
  #left = 0;
  #total = 0;

  constructor({ name, sources, concurrency }: ResolvedScalingOptions) {
    this.#name = name;
    this.#sources = sources;
    if (concurrency !== undefined) this.#values.concurrency = concurrency;
  }

  /** Calls that wait. */
  get queued(): number {
    return this.#values.queued ?? 0;
  }

  /** Calls that a replica runs at the same time, from 1; `undefined` until it was read. */
  get concurrency(): number | undefined {
    const { concurrency } = this.#values;
    return concurrency === undefined ? undefined : Math.max(1, concurrency);
  }

  /** Replicas that share the demand: 1 where that is not asked. */
  get replicas(): number {
    return Math.max(1, this.#values.replicas ?? 1);
  }

  /** In milliseconds; `undefined` until something is known. */
  get serviceTimeMs(): number | undefined {
    const idle = this.#values.inFlight === 0 ? 0 : undefined;
    return this.#values.serviceTimeMs ?? this.#serviceMs ?? idle;
  }

  /** @returns the calls since the last reading; `undefined` where there are none to tell */
  read(now: number): Interval | undefined {
    const last = this.at;
    if (last !== undefined && now - last < SHORTEST_MS) return undefined;
    for (const source of OTHERS) this.#ask(source);
    if (this.#sources.concurrency !== undefined) this.#ask('concurrency');
    if (!this.#ask('arrivals')) return undefined;
    const total = this.#values.arrivals as number;
    const calls = total - this.#total;
    this.#total = total;
    this.at = now;
    const { rejected = 0 } = this.#values;
    const left = total - this.queued - rejected;
    const completed = Math.max(0, left - this.#left);
    this.#left = left;
    // A total that fell belongs to a source that began anew.
    if (last === undefined || calls < 0) return undefined;
    const lengthMs = now - last;
    const rate = (calls / lengthMs) * 1000;
    this.demand = smooth(this.rate && this.demand, rate * this.replicas, lengthMs, RATE_MS);
    this.rate = smooth(this.rate, rate, lengthMs, RATE_MS);
    this.#estimate((completed / lengthMs) * 1000, lengthMs);
    return { at: now, lengthMs, calls };
  }

  /** The service time by Little's law: as many run as are served in the time of one. */
  #estimate(completions: number, lengthMs: number): void {
    const running = this.#values.inFlight;
    if (running === undefined) return;
    const last = this.#completions === 0 ? undefined : this.#inFlight;
    this.#inFlight = smooth(last, running, lengthMs, SERVICE_MS);
    this.#completions = smooth(last && this.#completions, completions, lengthMs, SERVICE_MS);
    if (this.#completions > 0) this.#serviceMs = (this.#inFlight / this.#completions) * 1000;
  }

  /** @returns whether there is a new value; otherwise the last one stays */
  #ask(source: keyof ScalingSources): boolean {
    const ask = this.#sources[source];
    if (ask === undefined) return false;
    const value = askNumber(this.#name, `sources.${source}`, ask);
    if (value === undefined || !Number.isFinite(value)) return false;
    this.#values[source] = value;
    return true;
  }
}

function smooth(last: number | undefined, value: number, lengthMs: number, over: number): number {
  if (last === undefined) return value;
  return last + (1 - Math.exp(-lengthMs / over)) * (value - last);
}

import type { CallContext, Operation, Policy } from '@temper/core';
import {
  askNumber,
  type Call,
  Listeners,
  notify,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { DelayQueues } from '../latency/delay-queues.ts';
import { ObservedDuration } from '../latency/observed-duration.ts';
import type { HedgeOutcome } from '../semconv.ts';
import { ExtraLoad } from './extra-load.ts';
import {
  type HedgeBudget,
  type HedgeEvent,
  type HedgeOptions,
  type HedgeStart,
  type ResolvedHedgeOptions,
  resolveHedgeOptions,
} from './options.ts';
import { Race, type RaceHost, type Wait } from './race.ts';
import { HedgeObserver } from './telemetry.ts';

/** What a hedge has done since it was created. */
export interface HedgeStats {
  readonly calls: Readonly<Record<HedgeOutcome, number>>;
  /** Attempts beyond the first. */
  readonly hedges: number;
  /** Attempts that the budget refused. */
  readonly refused: number;
  /** Present delay before another attempt, in milliseconds; `undefined` when it is computed. */
  readonly delayMs: number | undefined;
  /**
   * Share of the observed first attempts that another one has cut off, from 0 to 1; `undefined` unless
   * the delay follows the latencies.
   */
  readonly cutOffShare: number | undefined;
}

/** A hedge. */
export interface HedgePolicy extends Policy {
  /** Adds a listener as the option `onHedge`; disposing of the result removes it. */
  onHedge(listener: (event: HedgeStart, call: CallContext) => unknown): Disposable;
  stats(): HedgeStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Hedge extends PolicyBase implements HedgePolicy, RaceHost {
  readonly options: ResolvedHedgeOptions;
  readonly observer: HedgeObserver;
  readonly observed: ObservedDuration | undefined;
  readonly budget: HedgeBudget | undefined;
  readonly starts: Listeners<HedgeStart, [CallContext]>;
  readonly #extraLoad: ExtraLoad | undefined;
  readonly #queues: DelayQueues;

  constructor(options: ResolvedHedgeOptions) {
    super(options.name, options.clock);
    this.options = options;
    this.#queues = new DelayQueues(options.clock);
    this.observed = options.delayMs instanceof ObservedDuration ? options.delayMs : undefined;
    this.observer = new HedgeObserver(this, options);
    this.starts = new Listeners(options.name, 'onHedge', options.onHedge);
    const { budget, maxExtraLoad, clock } = options;
    this.#extraLoad =
      budget === undefined && maxExtraLoad < Number.POSITIVE_INFINITY
        ? new ExtraLoad(maxExtraLoad, clock)
        : undefined;
    this.budget = budget ?? this.#extraLoad;
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      new Race(this, operation, call, resolve, reject).start();
    });
  }

  onHedge(listener: (event: HedgeStart, call: CallContext) => unknown): Disposable {
    return this.starts.add(listener);
  }

  answered(): void {
    this.#extraLoad?.deposit();
    const { deposits, budget } = this.options;
    if (deposits && budget !== undefined) {
      notify(this.name, 'budget.deposit', () => budget.deposit(0));
    }
  }

  wait(event: HedgeEvent, due: () => void): Wait | undefined {
    const { delayMs } = this.options;
    if (typeof delayMs === 'function') {
      const computed = askNumber(this.name, 'delayMs', delayMs, event);
      return computed === undefined ? undefined : this.clock.schedule(due, computed);
    }
    const queue = this.#queues.of(this.delayMs as number);
    const entry = queue.add(due);
    return { cancel: () => queue.remove(entry) };
  }

  get delayMs(): number | undefined {
    const { delayMs } = this.options;
    return typeof delayMs === 'number' ? delayMs : this.observed?.current();
  }

  get cutOffShare(): number | undefined {
    return this.observed?.cutOffShare;
  }

  override describe(): PolicyDescription {
    return { kind: 'hedge', repeats: true };
  }

  stats(): HedgeStats {
    const { calls, attempts } = this.observer;
    return {
      calls: { ...calls },
      hedges: attempts.started,
      refused: attempts.refused,
      delayMs: this.delayMs,
      cutOffShare: this.cutOffShare,
    };
  }

  [Symbol.dispose](): void {
    this.observer[Symbol.dispose]();
  }
}

/**
 * Creates a policy that does not wait for a slow answer: when an attempt takes longer than most, another
 * one starts beside it, and the first to succeed wins. The signals of the others abort, and their
 * results are discarded. For operations that may be done twice.
 *
 * Source: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 2013.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function hedge(options: HedgeOptions = {}): HedgePolicy {
  return new Hedge(resolveHedgeOptions(options));
}

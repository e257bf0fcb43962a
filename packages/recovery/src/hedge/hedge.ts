import { AsyncResource } from 'node:async_hooks';
import {
  type CallContext,
  isThenable,
  notify,
  type Operation,
  type Policy,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { DelayQueues } from '../latency/delay-queues.ts';
import { ObservedDuration } from '../latency/observed-duration.ts';
import {
  ATTR_HEDGE_ATTEMPT,
  HEDGE_OUTCOMES,
  type HedgeOutcome,
  METRIC_HEDGE_ATTEMPTS,
  METRIC_HEDGE_CALLS,
  METRIC_HEDGE_DELAY,
} from '../semconv.ts';
import {
  endFailed,
  endSpan,
  live,
  observe,
  onListenerError,
  openSpan,
  outcomeCells,
  policyAttributes,
  under,
} from '../telemetry.ts';
import {
  type HedgeBudget,
  type HedgeEvent,
  type HedgeOptions,
  type ResolvedHedgeOptions,
  resolveHedgeOptions,
} from './options.ts';
import { Race, type RaceHost, type Wait } from './race.ts';

/** What a hedge has done since it was made. */
export interface HedgeStats {
  readonly calls: Readonly<Record<HedgeOutcome, number>>;
  /** Tries beyond the first. */
  readonly hedges: number;
  /** Tries that the budget refused. */
  readonly refused: number;
  /** How long a try is waited for at present, in milliseconds; `undefined` when it is computed. */
  readonly delayMs: number | undefined;
}

/** A hedge. */
export interface HedgePolicy extends Policy {
  stats(): HedgeStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Hedge extends PolicyBase implements HedgePolicy, RaceHost {
  readonly options: ResolvedHedgeOptions;
  readonly #queues: DelayQueues;
  readonly #observed: ObservedDuration | undefined;
  readonly #cells: ReturnType<typeof outcomeCells<HedgeOutcome>>;
  readonly #hedgeCells: ReturnType<typeof outcomeCells<'started' | 'refused'>>;
  readonly #calls: Record<HedgeOutcome, number> = {
    success: 0,
    hedged: 0,
    failure: 0,
    aborted: 0,
  };
  #hedges = 0;
  #refused = 0;
  readonly #gauge: Disposable;

  constructor(options: ResolvedHedgeOptions) {
    super(options.name, options.clock);
    this.options = options;
    this.#queues = new DelayQueues(options.clock);
    this.#observed = options.delayMs instanceof ObservedDuration ? options.delayMs : undefined;
    this.#cells = outcomeCells(METRIC_HEDGE_CALLS, options.name, HEDGE_OUTCOMES);
    this.#hedgeCells = outcomeCells(METRIC_HEDGE_ATTEMPTS, options.name, ['started', 'refused']);
    this.#gauge = observe<Hedge>(this, (owner, emit) => {
      const delayMs = owner.#delayMs();
      if (delayMs === undefined) return;
      emit(METRIC_HEDGE_DELAY, policyAttributes(owner.name), delayMs / 1000);
    });
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    const { deposits, budget } = this.options;
    if (deposits && budget !== undefined) notify(deposit, budget, onListenerError);
    return new Promise<T>((resolve, reject) => {
      new Race(this, operation, context, resolve, reject).launch();
    });
  }

  wait(event: HedgeEvent, due: () => void): Wait | undefined {
    const { delayMs } = this.options;
    if (typeof delayMs !== 'function') {
      const queue = this.#queues.of(this.#delayMs() as number);
      // The shared timer belongs to whoever armed it; the next try belongs to this caller.
      const caller = new AsyncResource('TemperHedge');
      const entry = queue.add(() => caller.runInAsyncScope(due));
      return { cancel: () => queue.remove(entry) };
    }
    try {
      const computed = delayMs(event);
      return computed >= 0 ? this.clock.schedule(due, computed) : undefined;
    } catch (error) {
      onListenerError(error);
      return undefined;
    }
  }

  run<T>(
    attempt: number,
    work: () => T | PromiseLike<T>,
    context: CallContext,
  ): T | PromiseLike<T> {
    if (!live.traces || this.options.spans === 'none') return work();
    const span = openSpan(`hedge ${this.name}`, this.name, context, this.clock.now(), {
      [ATTR_HEDGE_ATTEMPT.name]: attempt,
    });
    let result: T | PromiseLike<T>;
    try {
      result = under(span, work);
    } catch (error) {
      endFailed(span, error, this.clock.now());
      throw error;
    }
    if (!isThenable(result)) {
      endSpan(span, this.clock.now());
      return result;
    }
    return result.then(
      (value) => {
        endSpan(span, this.clock.now());
        return value;
      },
      (error: unknown) => {
        if (isLost(error)) endSpan(span, this.clock.now());
        else endFailed(span, error, this.clock.now());
        throw error;
      },
    );
  }

  started(): void {
    this.#hedges++;
    this.#hedgeCells.started.value++;
  }

  refused(): void {
    this.#refused++;
    this.#hedgeCells.refused.value++;
  }

  took(ms: number): void {
    this.#observed?.record(ms);
  }

  ended(outcome: HedgeOutcome): void {
    this.#calls[outcome]++;
    this.#cells[outcome].value++;
  }

  #delayMs(): number | undefined {
    const { delayMs } = this.options;
    if (typeof delayMs === 'number') return delayMs;
    return this.#observed?.current();
  }

  override describe(): PolicyDescription {
    return { kind: 'hedge', repeats: true };
  }

  stats(): HedgeStats {
    return {
      calls: { ...this.#calls },
      hedges: this.#hedges,
      refused: this.#refused,
      delayMs: this.#delayMs(),
    };
  }

  [Symbol.dispose](): void {
    this.#gauge[Symbol.dispose]();
  }
}

const deposit = (budget: HedgeBudget): void => budget.deposit();

function isLost(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'HEDGE_LOST';
}

/**
 * Makes a policy that does not wait for a slow answer: when a try takes longer than most, another
 * begins beside it, and the first to answer wins. The others are aborted, and what they still yield
 * is let go of. For operations that may be done twice.
 *
 * Source: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 2013.
 *
 * @throws {TypeError | RangeError} at construction, when an option is unknown or out of range
 */
export function hedge(options: HedgeOptions = {}): HedgePolicy {
  return new Hedge(resolveHedgeOptions(options));
}

import {
  type AbortScope,
  type CallContext,
  classify,
  isThenable,
  notify,
  type Operation,
} from '@temper/core';
import { HedgeFailedError, HedgeLostError } from '../errors.ts';
import { ask } from '../predicate.ts';
import { onListenerError } from '../telemetry.ts';
import { discard } from './discard.ts';
import type { HedgeBudget, HedgeEvent, ResolvedHedgeOptions } from './options.ts';

/** A wait that can be taken back. */
export interface Wait {
  cancel(): void;
}

/** What a race asks of the policy that runs it. */
export interface RaceHost {
  readonly options: ResolvedHedgeOptions;
  /** Waits until the next try is due; `undefined` when none is to begin. */
  wait(event: HedgeEvent, due: () => void): Wait | undefined;
  /** Runs a try beyond the first where a trace shows it. */
  run<T>(attempt: number, work: () => T | PromiseLike<T>, context: CallContext): T | PromiseLike<T>;
  started(): void;
  refused(): void;
  /** The first try took this long; one that lost, at least so long. */
  took(ms: number): void;
  ended(outcome: 'success' | 'hedged' | 'failure' | 'aborted'): void;
}

type Failure = { readonly error: unknown } | { readonly value: unknown };

interface Try {
  readonly scope: AbortScope;
  readonly startedAt: number;
  pending: boolean;
}

const withdraw = (budget: HedgeBudget): boolean => budget.withdraw();

/** One call and its tries: the first to answer wins, and the others are aborted and forgotten. */
export class Race<T> {
  readonly #host: RaceHost;
  readonly #operation: Operation<T>;
  readonly #context: CallContext;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #tries: Try[] = [];
  readonly #failures: Failure[] = [];
  #pending = 0;
  #over = false;
  #wait: Wait | undefined;

  constructor(
    host: RaceHost,
    operation: Operation<T>,
    context: CallContext,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#host = host;
    this.#operation = operation;
    this.#context = context;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Begins the next try. What it throws at once counts as its failure. */
  launch(): void {
    const attempt = this.#tries.length + 1;
    const scope = this.#context.scope();
    const entry: Try = { scope, startedAt: this.#host.options.clock.monotonic(), pending: true };
    this.#tries.push(entry);
    this.#pending++;
    let result: T | PromiseLike<T>;
    try {
      result =
        attempt === 1
          ? this.#operation(scope)
          : this.#host.run(attempt, () => this.#operation(scope), this.#context);
    } catch (error) {
      this.#failed(entry, { error });
      return;
    }
    if (!isThenable(result)) {
      this.#answered(entry, result);
      return;
    }
    result.then(
      (value) => this.#answered(entry, value),
      (error: unknown) => this.#failed(entry, { error }),
    );
    if (!this.#over && attempt < this.#host.options.maxAttempts) {
      this.#wait = this.#host.wait(this.#event(), () => this.#due());
    }
  }

  #event(): HedgeEvent {
    const { name } = this.#host.options;
    return {
      policy: name,
      attempt: this.#tries.length + 1,
      operation: this.#context.operation,
    };
  }

  /** The last try has been waited for long enough. */
  #due(): void {
    this.#wait = undefined;
    if (!this.#over && !this.#context.aborted) this.#next('slow');
  }

  /** @returns whether another try began */
  #next(because: 'slow' | 'failed'): boolean {
    const { options } = this.#host;
    if (this.#tries.length >= options.maxAttempts) return false;
    if (options.budget !== undefined && !ask(withdraw, options.budget)) {
      this.#host.refused();
      return false;
    }
    this.#wait?.cancel();
    this.#wait = undefined;
    this.#host.started();
    notify(options.onHedge, { ...this.#event(), because }, onListenerError);
    this.launch();
    return true;
  }

  #answered(entry: Try, value: T): void {
    const { isFailure } = this.#host.options;
    if (this.#over) {
      this.#discard(value);
    } else if (isFailure !== undefined && ask(isFailure, value)) {
      this.#failed(entry, { value });
    } else {
      this.#settle(entry);
      const first = entry === this.#tries[0];
      if (first) this.#took(entry);
      this.#finish(first ? 'success' : 'hedged');
      this.#discardFailed();
      this.#resolve(value);
    }
  }

  #failed(entry: Try, failure: Failure): void {
    if (this.#over) return; // aborted and released when the race was over; nobody asks how it ended
    this.#settle(entry);
    this.#failures.push(failure);
    if (this.#context.aborted) {
      if (this.#pending === 0) this.#giveUp('aborted', { error: this.#context.reason });
      return;
    }
    if ('error' in failure && !this.#isHedgeable(failure.error)) {
      this.#giveUp('failure', failure);
      return;
    }
    if (!this.#next('failed') && this.#pending === 0) this.#giveUp('failure', this.#verdict());
  }

  #isHedgeable(error: unknown): boolean {
    const { isHedgeable } = this.#host.options;
    return isHedgeable === undefined ? classify(error).transient : ask(isHedgeable, error);
  }

  /** All have failed: with the last value that means failure, or with every error. */
  #verdict(): Failure {
    const last = this.#failures.findLast((failure) => 'value' in failure);
    if (last !== undefined) return last;
    const errors = this.#failures.map((failure) => (failure as { error: unknown }).error);
    if (errors.length === 1) return { error: errors[0] };
    return { error: new HedgeFailedError(this.#host.options.name, errors) };
  }

  #giveUp(outcome: 'failure' | 'aborted', verdict: Failure): void {
    this.#finish(outcome);
    if ('error' in verdict) {
      this.#discardFailed();
      this.#reject(verdict.error);
    } else {
      this.#discardFailed(verdict);
      this.#resolve(verdict.value as T);
    }
  }

  #settle(entry: Try): void {
    entry.pending = false;
    this.#pending--;
    entry.scope.release();
  }

  #finish(outcome: 'success' | 'hedged' | 'failure' | 'aborted'): void {
    this.#over = true;
    this.#wait?.cancel();
    this.#wait = undefined;
    const lost = this.#pending > 0 ? new HedgeLostError(this.#host.options.name) : undefined;
    for (const entry of this.#tries) {
      if (!entry.pending) continue;
      if (entry === this.#tries[0]) this.#took(entry);
      entry.scope.abort(lost);
      entry.scope.release();
    }
    this.#host.ended(outcome);
  }

  /** Only first tries are a fair sample: the others run where things are slow already. */
  #took({ startedAt }: Try): void {
    this.#host.took(this.#host.options.clock.monotonic() - startedAt);
  }

  #discardFailed(kept?: Failure): void {
    for (const failure of this.#failures) {
      if (failure !== kept && 'value' in failure) this.#discard(failure.value);
    }
  }

  #discard(value: unknown): void {
    notify(this.#host.options.onDiscard ?? discard, value, onListenerError);
  }
}

import type { CallOptions, Clock, Operation } from '@temper/core';
import {
  Call,
  type CallObservation,
  enterCall,
  guardIteration,
  isGeneratorFunction,
  safeText,
  show,
} from '@temper/core/policy';
import type { RecoveryOutcomeName } from '../semconv.ts';
import { executionOptions } from './call-options.ts';
import type { RecoverOptions, RecoveryResult } from './contract.ts';
import { errorRecord, type RecoveryHistory } from './history.ts';
import type { PlanObserver } from './telemetry.ts';

/** Longest name of an operation in a record, in UTF-16 code units. */
const MAX_OPERATION = 128;

/** One execution under way. */
export class Execution {
  args: readonly unknown[] = [];
  /** How often the operation was called. */
  attempts = 0;
  /** The call, once it has begun. */
  call: Call | undefined;
  observed: CallObservation<RecoveryOutcomeName> | undefined;
  /** What the operation failed with after all calls. */
  failure: { readonly error: unknown } | undefined;
  recoveredBy: 'fallback' | undefined;
  degraded: { readonly value: unknown } | undefined;
}

/** What is done within the call of an execution. */
export type Steps = <T>(operation: Operation<T>, call: Call, execution: Execution) => Promise<T>;

/** Where executions are counted and kept. */
export interface ExecutionLog {
  /** The plan's strategies, joined by '+'; 'none' without a plan. */
  readonly strategy: string;
  readonly clock: Clock;
  readonly history: RecoveryHistory;
  readonly observer: PlanObserver;
}

/** Runs executions: each ends in a result, is counted, and is kept in the history. */
export class Executions {
  readonly #log: ExecutionLog;
  #inFlight = 0;

  constructor(log: ExecutionLog) {
    this.#log = log;
  }

  /** Executions that have begun and not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  async execute<T>(
    operation: string,
    fn: Operation<T>,
    options: RecoverOptions | undefined,
    steps: Steps,
  ): Promise<RecoveryResult<Awaited<T>>> {
    if (isGeneratorFunction(fn)) return this.#iterate(operation, fn, options, steps);
    const { clock } = this.#log;
    const startedAt = clock.now();
    const begunAt = clock.monotonic();
    const execution = new Execution();
    const owner = `recovery ${show(operation)}`;
    let result: RecoveryResult<Awaited<T>>;
    let overBefore = false;
    this.#inFlight++;
    try {
      const { args, call } = executionOptions(owner, operation, options);
      execution.args = args;
      overBefore = isOver(call);
      const policy = {
        runInCall: <U>(work: Operation<U>, own: Call): Promise<U> =>
          this.#begin(work, own, execution, steps),
      };
      const value = (await enterCall(policy, fn, call, owner, clock)) as Awaited<T>;
      const by = execution.recoveredBy ?? (execution.attempts > 1 ? 'retry' : undefined);
      result = { ok: true, value, ...(by === undefined ? {} : { recoveredBy: by }) };
    } catch (error) {
      const { degraded } = execution;
      result = { ok: false, error, ...(degraded && { degraded: degraded.value }) };
    }
    this.#inFlight--;
    // The call itself is ended from outside only: timeouts of the plan end parts of it.
    const ended = execution.call === undefined ? overBefore : execution.call.endedBy !== undefined;
    this.#end(operation, execution, result, outcomeOf(result, ended), {
      startedAt,
      elapsedMs: clock.monotonic() - begunAt,
    });
    return result;
  }

  /** @returns the guarded generator at once: the execution lasts from its first `next()` to its end */
  #iterate<T>(
    operation: string,
    create: Operation<unknown>,
    options: RecoverOptions | undefined,
    steps: Steps,
  ): RecoveryResult<Awaited<T>> {
    const execute = async (items: Operation<unknown>): Promise<unknown> => {
      const result = await this.execute(operation, items, options, steps);
      if (result.ok) return result.value;
      throw result.error;
    };
    return { ok: true, value: guardIteration(execute, create as never) as Awaited<T> };
  }

  #begin<T>(work: Operation<T>, call: Call, execution: Execution, steps: Steps): Promise<T> {
    const observed = this.#log.observer.begin(call);
    execution.call = call;
    execution.observed = observed;
    return observed === undefined
      ? steps(work, call, execution)
      : observed.run(() => steps(work, call, execution));
  }

  #end(
    operation: string,
    { call, attempts, failure, observed }: Execution,
    result: RecoveryResult<unknown>,
    outcome: RecoveryOutcomeName,
    times: { readonly startedAt: number; readonly elapsedMs: number },
  ): void {
    const { strategy, history, observer } = this.#log;
    observer.executions[outcome]++;
    const error = failure?.error ?? (result.ok ? undefined : result.error);
    const recoveredBy = result.ok ? result.recoveredBy : undefined;
    history.add({
      operation: safeText(operation, MAX_OPERATION),
      strategy,
      outcome,
      recoveredBy,
      attempts,
      ...times,
      error: errorRecord(error),
    });
    const span = call === undefined ? observer.begin(new Call()) : observed;
    observer.end(span, outcome, result.ok ? undefined : { ok: false, error }, recoveredBy);
  }
}

/** Whether a call with these options ends before its operation is called. */
function isOver({ signal, parent, timeoutMs }: CallOptions): boolean {
  return signal?.aborted === true || parent?.endedBy !== undefined || timeoutMs === 0;
}

/** @param ended - whether the call was ended from outside */
function outcomeOf(result: RecoveryResult<unknown>, ended: boolean): RecoveryOutcomeName {
  if (result.ok) return result.recoveredBy === undefined ? 'success' : 'recovered';
  if ('degraded' in result) return 'degraded';
  return ended ? 'aborted' : 'failure';
}

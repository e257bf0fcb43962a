import {
  type Clock,
  isFailure,
  isRefusal,
  type Operation,
  type Outcome,
  type ShouldHandle,
} from '@temper/core';
import { Call, decide, isNeutral, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import type { RecordedCall, RecordedTry, TryResult } from './recorded-call.ts';

/** Who is told of calls. */
export interface CallHost {
  readonly name: string;
  readonly shouldHandle: ShouldHandle;
  /** The timeout of an attempt that is in force, in milliseconds. */
  readonly attemptTimeoutMs: number | undefined;
  add(call: RecordedCall): void;
}

/** A try, while it runs and after. */
interface Try {
  readonly attempt: number;
  readonly hedge: number;
  readonly startedAt: number;
  readonly call: Call;
  tookMs: number;
  result: TryResult | undefined;
}

/** The context of a call whose tries are recorded. */
class TunedCall extends Call {
  readonly host: CallHost;
  readonly startedAt: number;
  readonly tries: Try[] = [];

  constructor(call: Call, host: CallHost, startedAt: number) {
    super(call.attempt, call.deadline, call.labels, call);
    this.host = host;
    this.startedAt = startedAt;
  }

  begin(call: Call, now: number): Try {
    const { attempt, hedge } = call;
    // What an attempt before left running was given up, and may never end.
    for (const one of this.tries) if (one.attempt < attempt) this.end(one, 'timeout', now);
    const one: Try = { attempt, hedge, startedAt: now, call, tookMs: 0, result: undefined };
    this.tries.push(one);
    return one;
  }

  /** Has no effect on a try that has ended. */
  end(one: Try, result: TryResult, now: number): void {
    if (one.result !== undefined) return;
    const tookMs = Math.max(0, now - one.startedAt);
    one.result = result;
    // The operation may have ended long after it was given up.
    one.tookMs =
      result === 'timeout' ? Math.min(tookMs, this.host.attemptTimeoutMs ?? tookMs) : tookMs;
  }

  drop(one: Try): void {
    this.tries.splice(this.tries.indexOf(one), 1);
  }

  /** The tries in the order in which they began. Those that still run were given up. */
  recorded(now: number): readonly RecordedTry[] {
    for (const one of this.tries) this.end(one, endOf(one.call) ?? 'lost', now);
    return this.tries.map(({ attempt, hedge, startedAt, tookMs, result }) => ({
      attempt,
      hedge,
      atMs: startedAt - this.startedAt,
      tookMs,
      result: result as TryResult,
    }));
  }
}

/** How a try was ended from outside. */
function endOf(call: Call): TryResult | undefined {
  const { endedBy } = call;
  if (endedBy === undefined) return undefined;
  return endedBy === 'timeout' ? 'timeout' : 'lost';
}

/** Put around all other policies: sees whole calls. */
export class CallObserver extends PolicyBase {
  readonly #host: CallHost;

  constructor(host: CallHost, clock: Clock) {
    super(host.name, clock);
    this.#host = host;
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const tuned = new TunedCall(call, this.#host, this.clock.monotonic());
    let outcome: Outcome<T>;
    try {
      outcome = { ok: true, value: await operation(tuned) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    if (!call.cancelled) this.#add(tuned, outcome);
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }

  #add(tuned: TunedCall, outcome: Outcome<unknown>): void {
    const now = this.clock.monotonic();
    const tookMs = now - tuned.startedAt;
    const failed = outcome.ok
      ? decide(this.name, this.#host.shouldHandle, outcome, tuned)
      : isFailure(outcome) || isRefusal(outcome.error);
    const tries = tuned.recorded(now);
    this.#host.add({
      at: this.clock.now() - tookMs,
      tookMs,
      ok: !failed,
      refused: tries.length === 0 && !outcome.ok && isRefusal(outcome.error),
      tries,
    });
  }

  override describe(): PolicyDescription {
    return { kind: 'observer' };
  }

  stats(): object {
    return {};
  }

  [Symbol.dispose](): void {
    // It has no levels.
  }
}

/** Put inside of all other policies: sees each try. */
export class TryObserver extends PolicyBase {
  readonly #host: CallHost;

  constructor(host: CallHost, clock: Clock) {
    super(host.name, clock);
    this.#host = host;
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    let around: Call | undefined = call;
    while (around !== undefined && !(around instanceof TunedCall && around.host === this.#host)) {
      around = around.outer;
    }
    if (around === undefined) return operation(call); // of a call that nobody observes
    const tuned = around as TunedCall;
    const one = tuned.begin(call, this.clock.monotonic());
    let outcome: Outcome<T>;
    try {
      outcome = { ok: true, value: await operation(call) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    const ended = endOf(call);
    // A refusal by a policy inside is no try.
    if (ended === undefined && isNeutral(outcome, call)) tuned.drop(one);
    else tuned.end(one, ended ?? this.#resultOf(outcome, call), this.clock.monotonic());
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }

  #resultOf(outcome: Outcome<unknown>, call: Call): TryResult {
    if (decide(this.name, this.#host.shouldHandle, outcome, call)) return 'failed';
    return isFailure(outcome) ? 'fatal' : 'answered';
  }

  override describe(): PolicyDescription {
    return { kind: 'observer' };
  }

  stats(): object {
    return {};
  }

  [Symbol.dispose](): void {
    // It has no levels.
  }
}

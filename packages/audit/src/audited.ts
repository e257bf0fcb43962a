import {
  type CallContext,
  type CallOptions,
  type Clock,
  type Executor,
  type Operation,
  type Outcome,
  type Policy,
  type ShouldHandle,
  systemClock,
} from '@temper/core';
import {
  ask,
  Call,
  checkCallOptions,
  checkType,
  clockRule,
  decide,
  enterCall,
  guardIteration,
  isGeneratorFunction,
  methodsRule,
  oneOfRule,
  PolicyBase,
  type PolicyDescription,
  type Resolved,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import type { AuditActor } from './chain/event.ts';
import { AuditUnavailableError } from './errors.ts';
import type { AuditWriter } from './log/audit-log.ts';
import { checkActor, checkWord } from './log/intake/intake.ts';

/** The call that an event describes, passed to the hooks of {@link AuditedOptions}. */
interface AuditedCall {
  /** Arguments of a wrapped function; empty for other calls. */
  readonly args: readonly unknown[];
  /** The returned value, if the call succeeded. */
  readonly value?: unknown;
  /** The thrown value, if the call failed. */
  readonly error?: unknown;
}

/**
 * Options of {@link audited}. The functions must answer at once: an error in one, or a promise, is
 * logged and counts as `undefined`.
 */
export interface AuditedOptions {
  /** Action of the events, such as `fetch_package`; also the name of the policy. */
  readonly action: string;
  /** Resource of the events, or a function that returns it for a call. */
  readonly resource: string | ((call: AuditedCall) => string);
  /** @defaultValue 'operation' */
  readonly eventType?: string;
  /** Actor of the events, or a function that returns it for a call. @defaultValue no actor */
  readonly actor?: string | AuditActor | ((call: AuditedCall) => string | AuditActor | undefined);
  /** Returns the details of the event. @defaultValue no details */
  readonly details?: (call: AuditedCall) => object | undefined;
  /**
   * Which outcomes are recorded with the status `failure`. An error is stored in its event whatever
   * the answer. An error in the function, or a promise, is logged and counts as `false`.
   *
   * @defaultValue errors, no values. Errors that are the caller's own mistake count too, unlike with
   *   the default of a breaker: a denied request is an event that an audit must find.
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * When events are written. `after`: one event when the call has ended; the call is not started while
   * the log is unavailable. `around`: also an event with status `started`, which is durable before the
   * call starts, so that no call is unaudited.
   *
   * @defaultValue 'after'
   */
  readonly write?: 'after' | 'around';
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** A snapshot of an {@link AuditedPolicy}. */
interface AuditedStats {
  readonly succeeded: number;
  readonly failed: number;
}

/** A policy that audits its calls. */
export interface AuditedPolicy extends Policy {
  /** Wraps another policy so that each of its calls is audited. */
  around(policy: Executor): Executor;
  stats(): AuditedStats;
  describe(): PolicyDescription;
}

const OWNER = 'audited';

/** The options that may stay unset. */
type Unset = 'action' | 'resource' | 'actor' | 'details' | 'shouldHandle';
type ResolvedAuditedOptions = Resolved<AuditedOptions, Unset> &
  Pick<AuditedOptions, 'action' | 'resource'>;

const logRule = methodsRule('append', 'assertAvailable');

/**
 * Audits operations: writes an event with outcome, error and duration for each call, which is durable
 * before the caller gets the result. Wraps functions (`wrap`) and policies (`around`), and can be part
 * of a pipeline. A call that is cut off by its own `timeoutMs` rejects at once; its event follows when
 * the operation ends.
 *
 * If the event cannot be stored, the call rejects with {@link AuditUnavailableError}, whose `outcome` is
 * the outcome of the operation. To policies around, the log is capacity of our own: neither that error nor the
 * time for the log says anything about the dependency, and an operation that was called is not called again.
 *
 * @throws {TypeError} if an option is invalid, see {@link AuditedOptions}
 */
export function audited(log: AuditWriter, options: AuditedOptions): AuditedPolicy {
  logRule(OWNER, 'log', log);
  const all = resolveOptions<AuditedOptions, Unset>(
    OWNER,
    options,
    { eventType: 'operation', write: 'after', clock: systemClock },
    {
      action: (_owner, option, value) => void checkWord(option, value),
      resource: (owner, option, value) => {
        if (typeof value !== 'function') checkType(owner, option, value, 'string');
      },
      eventType: (_owner, option, value) => void checkWord(option, value),
      actor: (_owner, _option, value) => {
        if (typeof value !== 'function') checkActor(value);
      },
      details: typeRule('function'),
      shouldHandle: typeRule('function'),
      write: oneOfRule(['after', 'around']),
      clock: clockRule,
    },
  );
  checkType(OWNER, 'action', all.action, 'string');
  if (all.resource === undefined) checkType(OWNER, 'resource', all.resource, 'string');
  return new Audited(log, all as ResolvedAuditedOptions);
}

const NO_ARGUMENTS: readonly unknown[] = [];

class Audited extends PolicyBase implements AuditedPolicy {
  readonly #log: AuditWriter;
  readonly #options: ResolvedAuditedOptions;
  #succeeded = 0;
  #failed = 0;

  constructor(log: AuditWriter, options: ResolvedAuditedOptions) {
    super(options.action, options.clock);
    this.#log = log;
    this.#options = options;
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return this.#run(NO_ARGUMENTS, () => operation(call), call);
  }

  /** @param args - of a wrapped function, which the hooks are given */
  override execute<T>(
    operation: Operation<T>,
    options?: CallOptions,
    args: readonly unknown[] = NO_ARGUMENTS,
  ): Promise<T> {
    const runInCall = <U>(work: Operation<U>, call: Call): Promise<U> =>
      this.#run(args, () => work(call), call);
    return enterCall({ runInCall }, operation, options, this.name, this.clock);
  }

  around(policy: Executor): Executor {
    checkType(OWNER, 'policy', policy?.execute, 'function');
    return {
      execute: async <T>(operation: Operation<T>, options?: CallOptions): Promise<T> => {
        if (options !== undefined) checkCallOptions(this.name, options);
        if (!isGeneratorFunction(operation)) return this.#runAround(policy, operation, options);
        const execute = (items: Operation<unknown>): Promise<unknown> =>
          this.#runAround(policy, items, options);
        return guardIteration(execute, operation) as T;
      },
    };
  }

  async #runAround<T>(
    policy: Executor,
    operation: Operation<T>,
    options: CallOptions | undefined,
  ): Promise<T> {
    // Replaced by the context of the call that the policy opens, unless the policy opens none.
    let call: CallContext = new Call();
    const observed: Operation<T> = (context) => {
      call = context;
      return operation(context);
    };
    const work = (): Promise<T> => policy.execute(observed, options);
    const around = options?.parent as Call | undefined;
    return this.#run(NO_ARGUMENTS, work, around ?? new Call(), () => call);
  }

  async #run<T>(
    args: readonly unknown[],
    work: () => T | PromiseLike<T>,
    around: Call,
    ownContext: () => CallContext = () => around,
  ): Promise<T> {
    await this.#begin(args, around);
    const startedAt = this.clock.monotonic();
    let outcome: Outcome<T>;
    try {
      if (around.aborted) throw around.reason; // while the log was waited for
      outcome = { ok: true, value: await work() };
    } catch (error) {
      outcome = { ok: false, error };
    }
    const durationMs = this.clock.monotonic() - startedAt;
    const failed = this.#isFailed(outcome, ownContext());
    if (failed) this.#failed++;
    else this.#succeeded++;
    const call: AuditedCall = outcome.ok
      ? { args, value: outcome.value }
      : { args, error: outcome.error };
    const store = (): Promise<void> =>
      this.#write(call, failed ? 'failure' : 'success', durationMs, outcome);
    await around.awaitCapacity(store, this.clock);
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }

  /** @throws what the log refuses the call with, whose operation is not called then */
  async #begin(args: readonly unknown[], around: Call): Promise<void> {
    if (this.#options.write === 'around') {
      const store = (): Promise<void> => this.#write({ args }, 'started', undefined, 'not called');
      await around.awaitCapacity(store, this.clock);
      return;
    }
    try {
      this.#log.assertAvailable();
    } catch (refusal) {
      await around.awaitCapacity(() => Promise.reject(because(refusal, 'not called')));
    }
  }

  #isFailed(outcome: Outcome<unknown>, call: CallContext): boolean {
    const { shouldHandle } = this.#options;
    return shouldHandle === undefined
      ? !outcome.ok
      : decide(this.name, shouldHandle, outcome, call);
  }

  async #write(
    call: AuditedCall,
    status: string,
    durationMs: number | undefined,
    operation: Outcome<unknown> | 'not called',
  ): Promise<void> {
    const { action, eventType, actor, details, resource } = this.#options;
    const found =
      typeof resource === 'function' ? this.#answer('resource', resource, call) : resource;
    const kept = details && this.#answer('details', details, call);
    const event = {
      eventType,
      action,
      status,
      // An invalid value of a hook must neither change the caller's result nor prevent the event.
      resource: typeof found === 'string' && found !== '' ? found : 'unknown',
      actor: typeof actor === 'function' ? this.#actorOf(actor, call) : actor,
      details: kept === undefined || typeof kept === 'object' ? kept : { value: kept },
      durationMs,
      error: call.error,
    };
    await this.#log.append(event).catch((refusal: unknown) => {
      throw because(refusal, operation);
    });
  }

  #actorOf(
    actor: (call: AuditedCall) => unknown,
    call: AuditedCall,
  ): string | AuditActor | undefined {
    const found = this.#answer('actor', actor, call);
    return this.#answer('actor', toActor, found); // the fields may be accessors that throw
  }

  /** What a hook returns; `undefined` if it throws or returns a promise or nothing. */
  #answer<A, T>(option: string, hook: (argument: A) => T, argument: A): T | undefined {
    let answer: T | undefined;
    const given = ask(this.name, option, () => {
      answer = hook(argument);
      return answer as boolean; // `ask` recognises a promise
    });
    return given ? answer : undefined;
  }

  stats(): AuditedStats {
    return { succeeded: this.#succeeded, failed: this.#failed };
  }

  override describe(): PolicyDescription {
    return { kind: 'audited' };
  }

  [Symbol.dispose](): void {}
}

/** The refusal of a log, with what became of the operation. */
function because(refusal: unknown, operation: Outcome<unknown> | 'not called'): unknown {
  if (!(refusal instanceof AuditUnavailableError)) return refusal;
  return new AuditUnavailableError(refusal.policy, refusal.required, refusal.failures, operation);
}

/** A plain copy of what a hook returned as actor, without invalid fields; undefined if `value` is not an actor. */
function toActor(value: unknown): string | AuditActor | undefined {
  if (isText(value)) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, type, name } = value as Partial<AuditActor>;
  if (!isText(id)) return undefined;
  return {
    id,
    ...(isText(type) ? { type } : undefined),
    ...(isText(name) ? { name } : undefined),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

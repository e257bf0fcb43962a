import {
  type CallContext,
  type Clock,
  checkKnown,
  checkOneOf,
  checkType,
  type Executor,
  type Operation,
  type Outcome,
  type Policy,
  PolicyBase,
  type PolicyDescription,
  systemClock,
} from '@temper/core';
import type { AuditActor } from './chain/event.ts';
import { AuditUnavailableError } from './errors.ts';
import type { AuditLog } from './log/audit-log.ts';
import { onListenerError } from './telemetry.ts';

/** What is known of a call when its event is made. */
export interface AuditedCall {
  /** Arguments of a wrapped function; none for a policy. */
  readonly args: readonly unknown[];
  /** What it returned, when it succeeded. */
  readonly value?: unknown;
  /** What it threw, when it failed. */
  readonly error?: unknown;
}

/** Options of {@link audited}. */
export interface AuditedOptions {
  /** What is done, such as `fetch_package`. */
  readonly action: string;
  /** What it is done to: a name, or how to find it in the call. */
  readonly resource: string | ((call: AuditedCall) => string);
  /** @defaultValue 'operation' */
  readonly eventType?: string;
  /** Who does it. @defaultValue nobody in particular */
  readonly actor?: string | AuditActor | ((call: AuditedCall) => string | AuditActor | undefined);
  /** What else to keep of the call. @defaultValue nothing */
  readonly details?: (call: AuditedCall) => object | undefined;
  /**
   * Whether a returned value means failure.
   *
   * @defaultValue no value does
   */
  readonly isFailure?: (value: unknown) => boolean;
  /**
   * When events are written. `after`: one, when the call has ended; it is not begun while the log
   * says that it cannot store. `around`: another one, with status `started`, durable before the call
   * begins, so that nothing happens unaudited.
   *
   * @defaultValue 'after'
   */
  readonly write?: 'after' | 'around';
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** A snapshot of an {@link AuditedPolicy}. */
export interface AuditedStats {
  readonly succeeded: number;
  readonly failed: number;
}

/** A policy that audits what runs under it. */
export interface AuditedPolicy extends Policy {
  /** Another policy, every call of which is audited. */
  around(policy: Executor): Executor;
  stats(): AuditedStats;
  describe(): PolicyDescription;
}

const OWNER = 'audited';
const KNOWN = [
  'action',
  'resource',
  'eventType',
  'actor',
  'details',
  'isFailure',
  'write',
  'clock',
];

/**
 * Audits operations: an event for each, with its outcome, its error and its duration, that is in the
 * log before the caller has the result. Wraps functions (`wrap`) and policies (`around`), and goes
 * into a pipeline like any policy.
 *
 * Where the log refuses the event, the call rejects with {@link AuditUnavailableError}, which says how
 * the operation had ended.
 *
 * @throws {TypeError} when an option is not what {@link AuditedOptions} says
 */
export function audited(log: AuditLog, options: AuditedOptions): AuditedPolicy {
  checkType(OWNER, 'log', log, 'object');
  checkKnown(OWNER, options, KNOWN);
  checkType(OWNER, 'action', options.action, 'string');
  for (const option of ['resource', 'actor'] as const) {
    const value = options[option];
    if (value === undefined && option === 'actor') continue;
    if (typeof value === 'function' || (option === 'actor' && typeof value === 'object')) continue;
    checkType(OWNER, option, value, 'string');
  }
  for (const hook of ['details', 'isFailure'] as const) {
    if (options[hook] !== undefined) checkType(OWNER, hook, options[hook], 'function');
  }
  checkOneOf(OWNER, 'write', options.write ?? 'after', ['after', 'around']);
  return new Audited(log, options);
}

class Audited extends PolicyBase implements AuditedPolicy {
  readonly #log: AuditLog;
  readonly #options: AuditedOptions;
  #succeeded = 0;
  #failed = 0;

  constructor(log: AuditLog, options: AuditedOptions) {
    super(options.action, options.clock ?? systemClock);
    this.#log = log;
    this.#options = options;
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return this.#run([], () => operation(context));
  }

  // biome-ignore lint/suspicious/noExplicitAny: see Policy.wrap
  override wrap<F extends (...args: any[]) => PromiseLike<unknown>>(fn: F): F;
  override wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
  ): (this: This, ...args: Args) => Promise<Awaited<R>>;
  override wrap(fn: (...args: unknown[]) => unknown): unknown {
    const audit = this;
    const wrapped = function (this: unknown, ...args: unknown[]): Promise<unknown> {
      return audit.#run(args, () => fn.apply(this, args));
    };
    Object.defineProperty(wrapped, 'name', { value: fn.name, configurable: true });
    Object.defineProperty(wrapped, 'length', { value: fn.length, configurable: true });
    return wrapped;
  }

  around(policy: Executor): Executor {
    checkType(OWNER, 'policy', policy?.execute, 'function');
    return {
      execute: (operation, options) => this.#run([], () => policy.execute(operation, options)),
    };
  }

  async #run<T>(args: readonly unknown[], work: () => T | PromiseLike<T>): Promise<T> {
    if (this.#options.write === 'around') await this.#write({ args }, 'started', undefined);
    else this.#log.assertAvailable();
    const startedAt = this.clock.monotonic();
    let outcome: Outcome<T>;
    try {
      outcome = { ok: true, value: await work() };
    } catch (error) {
      outcome = { ok: false, error };
    }
    const durationMs = this.clock.monotonic() - startedAt;
    const failed = !outcome.ok || this.#isFailure(outcome.value);
    if (failed) this.#failed++;
    else this.#succeeded++;
    const call: AuditedCall = outcome.ok
      ? { args, value: outcome.value }
      : { args, error: outcome.error };
    try {
      await this.#write(call, failed ? 'failure' : 'success', durationMs);
    } catch (error) {
      if (!(error instanceof AuditUnavailableError)) throw error;
      throw new AuditUnavailableError(error.policy, error.required, error.failures, outcome);
    }
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }

  /** A predicate that throws is reported, and has said no. */
  #isFailure(value: unknown): boolean {
    try {
      return this.#options.isFailure?.(value) ?? false;
    } catch (error) {
      onListenerError(error);
      return false;
    }
  }

  async #write(call: AuditedCall, status: string, durationMs: number | undefined): Promise<void> {
    const { action, eventType = 'operation', actor, details, resource } = this.#options;
    const found = typeof resource === 'function' ? asked(resource, call) : resource;
    const who = typeof actor === 'function' ? asked(actor, call) : actor;
    const more = details && asked(details, call);
    await this.#log.append({
      eventType,
      action,
      status,
      // What a hook gets wrong must not cost the caller a result, nor the log an event.
      resource: typeof found === 'string' && found !== '' ? found : 'unknown',
      actor: isActor(who) ? who : undefined,
      details: more === undefined || typeof more === 'object' ? more : { value: more },
      durationMs,
      error: call.error,
    });
  }

  stats(): AuditedStats {
    return { succeeded: this.#succeeded, failed: this.#failed };
  }

  override describe(): PolicyDescription {
    return { kind: 'audited' };
  }

  [Symbol.dispose](): void {}
}

/** What a hook says of a call. One that throws is reported, and does not keep the call from the log. */
function asked<T>(hook: (call: AuditedCall) => T, call: AuditedCall): T | undefined {
  try {
    return hook(call);
  } catch (error) {
    onListenerError(error);
    return undefined;
  }
}

function isActor(value: unknown): value is string | AuditActor {
  if (typeof value === 'object' && value !== null) {
    return isActor((value as Partial<AuditActor>).id) && !Array.isArray(value);
  }
  return typeof value === 'string' && value !== '';
}

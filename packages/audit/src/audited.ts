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
import { checkText, checkWord } from './log/intake/intake.ts';
import { onListenerError } from './telemetry.ts';

/** The call that an event describes, passed to the hooks of {@link AuditedOptions}. */
interface AuditedCall {
  /** Arguments of a wrapped function; empty for other calls. */
  readonly args: readonly unknown[];
  /** The returned value, if the call succeeded. */
  readonly value?: unknown;
  /** The thrown value, if the call failed. */
  readonly error?: unknown;
}

/** Options of {@link audited}. */
export interface AuditedOptions {
  /** Action of the events, such as `fetch_package`. */
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
   * Whether a returned value counts as a failure.
   *
   * @defaultValue no returned value is a failure
   */
  readonly isFailure?: (value: unknown) => boolean;
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
 * Audits operations: writes an event with outcome, error and duration for each call, which is durable
 * before the caller gets the result. Wraps functions (`wrap`) and policies (`around`), and can be part
 * of a pipeline.
 *
 * If the event cannot be stored, the call rejects with {@link AuditUnavailableError}, whose `outcome` is
 * the outcome of the operation.
 *
 * @throws {TypeError} if an option is invalid, see {@link AuditedOptions}
 */
export function audited(log: AuditLog, options: AuditedOptions): AuditedPolicy {
  checkType(OWNER, 'log', log, 'object');
  checkKnown(OWNER, options, KNOWN);
  checkType(OWNER, 'action', options.action, 'string');
  checkWord('action', options.action);
  if (options.eventType !== undefined) checkWord('eventType', options.eventType);
  const { actor, resource } = options;
  if (typeof resource !== 'function') checkType(OWNER, 'resource', resource, 'string');
  if (actor !== undefined && typeof actor !== 'function') checkActor(actor);
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
    const { isFailure } = this.#options;
    const failed =
      !outcome.ok || (isFailure !== undefined && callHook(isFailure, outcome.value) === true);
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

  async #write(call: AuditedCall, status: string, durationMs: number | undefined): Promise<void> {
    const { action, eventType = 'operation', actor, details, resource } = this.#options;
    const found = typeof resource === 'function' ? callHook(resource, call) : resource;
    const kept = details && callHook(details, call);
    await this.#log.append({
      eventType,
      action,
      status,
      // An invalid value of a hook must neither change the caller's result nor prevent the event.
      resource: typeof found === 'string' && found !== '' ? found : 'unknown',
      actor: typeof actor === 'function' ? callHook((of) => toActor(actor(of)), call) : actor,
      details: kept === undefined || typeof kept === 'object' ? kept : { value: kept },
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

/** Calls a hook. An error thrown by the hook is logged and counts as `undefined`. */
function callHook<A, T>(hook: (argument: A) => T, argument: A): T | undefined {
  try {
    return hook(argument);
  } catch (error) {
    onListenerError(error);
    return undefined;
  }
}

/** @throws {TypeError} unless `actor` is a non-empty string or an {@link AuditActor} */
function checkActor(actor: unknown): void {
  if (typeof actor !== 'object' || actor === null) {
    checkText('actor', actor);
    return;
  }
  const { id, type, name } = actor as Partial<AuditActor>;
  checkText('actor.id', id);
  if (type !== undefined) checkText('actor.type', type);
  if (name !== undefined) checkText('actor.name', name);
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

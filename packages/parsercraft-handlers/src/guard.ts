import type { Clock } from '@temper/core';
import {
  ask,
  checkKnown,
  checkNumber,
  checkType,
  reportCallbackError,
  show,
} from '@temper/core/policy';
import {
  type Guarded,
  type GuardedOperationOptions,
  type GuardServices,
  type OperationOptions,
  runGuarded,
} from './guarded-operation.ts';
import type { GuardedOperation } from './harden-options.ts';
import { LastGood } from './last-good.ts';
import type { AnyOperation, RememberOptions } from './operation.ts';
import type { PolicyMaker } from './policies.ts';

interface GuardParts extends Pick<GuardedOperationOptions<unknown>, 'errors'> {
  readonly pipelines: ReturnType<PolicyMaker['operation']>;
}

/** One operation and what guards it. */
export class Guard {
  readonly #operation: string;
  readonly #definition: AnyOperation;
  readonly #services: GuardServices;
  readonly #parts: GuardParts;
  readonly #answers: LastGood<unknown> | undefined;

  constructor(
    path: string,
    operation: string,
    definition: AnyOperation,
    services: GuardServices,
    parts: GuardParts,
  ) {
    this.#operation = operation;
    this.#definition = definition;
    this.#services = services;
    this.#parts = parts;
    if (definition.remember !== undefined) {
      this.#answers = lastGoodOf(`${path}.remember`, definition.remember, services.clock);
    }
  }

  run(args: readonly unknown[], options: OperationOptions | undefined): Promise<Guarded<unknown>> {
    const { run, planOf, resource } = this.#definition;
    const { pipelines, errors } = this.#parts;
    const planned = pipelines.get(this.#text('planOf', planOf, args) ?? '') ?? pipelines.get('');
    if (planned === undefined) throw new TypeError(`${this.#operation}: there is no plan.`);
    let asked = 0;
    return runGuarded(
      this.#services,
      {
        operation: this.#operation,
        errors,
        ...planned,
        remember: (value, key) => this.#remember(value, key, args, asked),
        ...(this.#answers === undefined && this.#definition.degrade === undefined
          ? {}
          : { degrade: (error, key) => this.#degraded(error, key, args) }),
      },
      this.#text('resource', resource, args) ?? this.#operation,
      async (context) => {
        asked = this.#answers?.ask() ?? 0;
        const value: unknown = await run(context, ...args);
        this.#refuseFailure(value);
        return value;
      },
      options,
    );
  }

  /** @throws the error of a value that means failure */
  #refuseFailure(value: unknown): void {
    const { isFailure, errorOf } = this.#definition;
    if (isFailure === undefined || !ask(this.#operation, 'isFailure', isFailure, value)) return;
    throw errorOf?.(value) ?? (value as { error?: unknown } | null)?.error ?? value;
  }

  #remember(
    value: unknown,
    key: string | undefined,
    args: readonly unknown[],
    asked: number,
  ): void {
    if (this.#answers === undefined) return;
    const id = this.#idOf(args, key);
    if (id !== undefined) this.#answers.remember(id, value, asked);
  }

  async #degraded(
    error: unknown,
    key: string | undefined,
    args: readonly unknown[],
  ): Promise<Guarded<unknown> | undefined> {
    const id = this.#answers === undefined ? undefined : this.#idOf(args, key);
    const stale = id === undefined ? undefined : this.#answers?.recall(id);
    if (stale !== undefined) {
      const { value, ageMs } = stale;
      return { value, degraded: { by: 'stale', ageMs, error } };
    }
    const answer = await this.#definition.degrade?.({ error, key }, ...args);
    if (answer === undefined) return undefined;
    const { value, by, ageMs } = answer;
    return { value, degraded: { by, error, ...(ageMs === undefined ? {} : { ageMs }) } };
  }

  /** Identifies a question. An answer may depend on whom the call is for. */
  #idOf(args: readonly unknown[], key: string | undefined): string | undefined {
    const { remember } = this.#definition;
    const id = this.#text('remember.id', remember?.id, args);
    return id === undefined
      ? undefined
      : JSON.stringify([id, remember?.isPublic === true ? undefined : key]);
  }

  /** What a user's function says of the arguments. What it throws, or returns instead of text, is logged. */
  #text(
    option: string,
    say: ((...args: readonly unknown[]) => string | undefined) | undefined,
    args: readonly unknown[],
  ): string | undefined {
    try {
      const said: unknown = say?.(...args);
      if (said === undefined || typeof said === 'string') return said;
      throw new TypeError(`It must return a string, got ${show(said)}.`);
    } catch (error) {
      reportCallbackError(this.#operation, option, error);
      return undefined;
    }
  }
}

const REMEMBER: readonly (keyof RememberOptions<never>)[] = [
  'id',
  'maxEntries',
  'maxAgeMs',
  'isPublic',
];

function lastGoodOf(
  path: string,
  remember: RememberOptions<never>,
  clock: Clock,
): LastGood<unknown> {
  checkKnown(path, remember, REMEMBER);
  const { id, maxEntries = 1000, maxAgeMs = 86_400_000, isPublic = false } = remember;
  checkType(path, 'id', id, 'function');
  checkNumber(path, 'maxEntries', maxEntries, { min: 0, integer: true, infinite: false });
  checkNumber(path, 'maxAgeMs', maxAgeMs, { min: 0 });
  checkType(path, 'isPublic', isPublic, 'boolean');
  return new LastGood(maxEntries, maxAgeMs, () => clock.monotonic());
}

/** The function of an operation, which users call. */
export function guardedOperation(guard: Guard): GuardedOperation<readonly unknown[], unknown> {
  return Object.assign((...args: readonly unknown[]) => guard.run(args, undefined), {
    with:
      (options: OperationOptions | undefined) =>
      (...args: readonly unknown[]) =>
        guard.run(args, options),
  });
}

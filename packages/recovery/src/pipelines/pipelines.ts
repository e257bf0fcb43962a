import type { Clock, Policy, TelemetryScope } from '@temper/core';
import {
  checkName,
  checkType,
  clockRule,
  Listeners,
  type OptionRule,
  type Resolved,
  resolveOptions,
  show,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import { cached } from '../cached/cached.ts';
import { chaos } from '../chaos/chaos.ts';
import type { PipelineReloadError } from '../errors.ts';
import { fallback } from '../fallback/fallback.ts';
import { hedge } from '../hedge/hedge.ts';
import { timeout } from '../timeout/timeout.ts';
import type { PipelineDefinition, PolicyKinds, SharedOptions } from './definition.ts';
import { NamedPipeline, type PipelineListing } from './named-pipeline.ts';

/** A reload, as {@link PipelinesOptions.onReload} sees it. */
export interface ReloadEvent {
  readonly name: string;
  /** The revision in force, counted from 1. */
  readonly revision: number;
  /** Why the new definition was rejected; `undefined` when it was applied. */
  readonly error: PipelineReloadError | undefined;
}

/** Options of {@link pipelines}. */
export interface PipelinesOptions {
  /**
   * Kinds that definitions may name besides `timeout`, `hedge`, `fallback`, `cached` and `chaos`, such
   * as `{ retry, breaker: circuitBreaker, tokenBucket }`. One with the name of a built-in kind replaces
   * it.
   *
   * @defaultValue none
   */
  readonly kinds?: PolicyKinds;
  /** Pipelines to begin with, by name. @defaultValue none */
  readonly define?: Readonly<Record<string, PipelineDefinition>>;
  /**
   * Called after each reload, applied or rejected. What it throws is logged.
   *
   * @defaultValue none
   */
  readonly onReload?: (event: ReloadEvent) => void;
  /**
   * Where the telemetry of the pipelines goes, and which attributes their metrics have besides; see
   * `telemetryScope` of `@temper/core`. Also that of each policy whose options have none; kinds of your own
   * get it as the option `telemetry`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** Also the clock of each policy whose options have none. @defaultValue the system clock */
  readonly clock?: Clock;
}

/** Pipelines by name, which can be replaced while they run. */
export interface Pipelines extends Disposable {
  /**
   * Creates a named pipeline.
   *
   * @throws {TypeError} when the name is taken, or the definition is invalid
   */
  define(name: string, definition: PipelineDefinition): Policy;
  /** The pipeline of this name, or `undefined`. It remains the same object through all reloads. */
  get(name: string): Policy | undefined;
  /**
   * Replaces the definition of a pipeline. Calls in flight end on the old one, and new ones begin on
   * the new one. A policy whose options have not changed is kept with its state: an open breaker stays
   * open.
   *
   * @returns the revision in force
   * @throws {PipelineReloadError} when the new definition is invalid, with the reason as its `cause`;
   * the old one then stays in force
   * @throws {RangeError} when there is no pipeline of this name
   */
  reload(name: string, definition: PipelineDefinition): number;
  /** Adds a listener as the option `onReload`; disposing of the result removes it. */
  onReload(listener: (event: ReloadEvent) => unknown): Disposable;
  /** Lists every pipeline, for a health check or a page. */
  list(): readonly PipelineListing[];
}

const BUILT_IN: PolicyKinds = { timeout, hedge, fallback, cached, chaos };

class Registry implements Pipelines {
  readonly #pipelines = new Map<string, NamedPipeline>();
  readonly #kinds: PolicyKinds;
  readonly #shared: SharedOptions;
  readonly #reloads: Listeners<ReloadEvent>;

  constructor({ kinds, define, onReload, clock, telemetry }: Resolved<PipelinesOptions, Option>) {
    this.#kinds = { ...BUILT_IN, ...kinds };
    this.#shared = {
      ...(clock === undefined ? {} : { clock }),
      ...(telemetry === undefined ? {} : { telemetry }),
    };
    this.#reloads = new Listeners('pipelines', 'onReload', onReload);
    for (const [name, definition] of Object.entries(define ?? {})) this.define(name, definition);
  }

  define(name: string, definition: PipelineDefinition): Policy {
    checkName('pipelines', name);
    if (this.#pipelines.has(name)) {
      throw new TypeError(`pipelines: ${show(name)} is already defined; replace it with reload().`);
    }
    const created = new NamedPipeline(name, definition, this.#kinds, this.#shared);
    this.#pipelines.set(name, created);
    return created;
  }

  get(name: string): Policy | undefined {
    return this.#pipelines.get(name);
  }

  reload(name: string, definition: PipelineDefinition): number {
    const pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) {
      const known = [...this.#pipelines.keys()].map(show).join(', ') || 'none';
      throw new RangeError(`pipelines: no pipeline is named ${show(name)}; known are ${known}.`);
    }
    try {
      pipeline.reload(definition);
    } catch (error) {
      this.#notify(pipeline, error as PipelineReloadError);
      throw error;
    }
    this.#notify(pipeline, undefined);
    return pipeline.revision;
  }

  onReload(listener: (event: ReloadEvent) => unknown): Disposable {
    return this.#reloads.add(listener);
  }

  list(): readonly PipelineListing[] {
    return [...this.#pipelines.values()].map((pipeline) => pipeline.listing());
  }

  #notify({ name, revision }: NamedPipeline, error: PipelineReloadError | undefined): void {
    this.#reloads.emit({ name, revision, error });
  }

  [Symbol.dispose](): void {
    for (const pipeline of this.#pipelines.values()) pipeline[Symbol.dispose]();
    this.#pipelines.clear();
  }
}

type Option = keyof PipelinesOptions;

const checkKinds: OptionRule = (owner, option, kinds) => {
  checkType(owner, option, kinds, 'object');
  for (const [kind, create] of Object.entries(kinds as object)) {
    checkType(owner, `${option}.${kind}`, create, 'function');
  }
};

/**
 * Creates a registry of pipelines whose options are data, and can be replaced while they run.
 *
 * ```ts
 * const registry = pipelines({ kinds: { retry }, define: { fetch: [{ retry: {} }] } });
 * registry.reload('fetch', [{ timeout: { timeoutMs: 3000 } }, { retry: {} }]);
 * ```
 *
 * @throws {TypeError | RangeError} when an option or a definition is invalid
 */
export function pipelines(options: PipelinesOptions = {}): Pipelines {
  const all = resolveOptions<PipelinesOptions, Option>(
    'pipelines',
    options,
    {},
    {
      kinds: checkKinds,
      define: typeRule('object'),
      onReload: typeRule('function'),
      clock: clockRule,
      telemetry: telemetryRule,
    },
  );
  return new Registry(all);
}

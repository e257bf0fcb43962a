import { circuitBreaker } from '@temper/breaker';
import {
  type Clock,
  checkKnown,
  checkName,
  checkType,
  notify,
  type Policy,
  systemClock,
} from '@temper/core';
import { retry } from '@temper/retry';
import { cached } from '../cached/cached.ts';
import { chaos } from '../chaos/chaos.ts';
import { PipelineReloadError } from '../errors.ts';
import { fallback } from '../fallback/fallback.ts';
import { hedge } from '../hedge/hedge.ts';
import type { PipelineStats } from '../pipeline/pipeline.ts';
import { METRIC_PIPELINE_RELOADS } from '../semconv.ts';
import { onListenerError, outcomeCells } from '../telemetry.ts';
import { timeout } from '../timeout/timeout.ts';
import type { PipelineDefinition, PolicyKinds } from './definition.ts';
import { NamedPipeline } from './named-pipeline.ts';

/** What {@link PipelinesOptions.onReload} hears. */
export interface ReloadEvent {
  readonly name: string;
  /** The revision that serves now, counted from 1. */
  readonly revision: number;
  /** Why the new definition was refused; `undefined` when it serves. */
  readonly error: PipelineReloadError | undefined;
}

/** Options of {@link pipelines}. */
export interface PipelinesOptions {
  /**
   * Kinds that definitions may name beside the built-in ones, such as
   * `{ tokenBucket, concurrency }` of `@temper/ratelimit`. One of the same name replaces a built-in.
   *
   * @defaultValue retry, breaker, timeout, hedge, fallback, cached, chaos
   */
  readonly kinds?: PolicyKinds;
  /** Pipelines to begin with, by name. @defaultValue none */
  readonly define?: Readonly<Record<string, PipelineDefinition>>;
  /** Called after each reload, applied or refused. What it throws is reported, no more. */
  readonly onReload?: (event: ReloadEvent) => void;
  /** Given to every policy that does not name one of its own. @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** A named pipeline, as a list shows it. */
export interface PipelineListing {
  readonly name: string;
  /** Counted from 1, one more with each reload that was applied. */
  readonly revision: number;
  /** Calls under way, those of replaced revisions included. */
  readonly inFlight: number;
  /** Replaced revisions whose calls have not all ended. */
  readonly draining: number;
  /** The definition in force. */
  readonly definition: PipelineDefinition;
  /** Why the last reload was refused, in words; `undefined` when it was applied. */
  readonly lastError: string | undefined;
  readonly stats: PipelineStats;
}

/** Pipelines by name, which can be replaced while they run. */
export interface Pipelines extends Disposable {
  /**
   * Makes a named pipeline.
   *
   * @throws {TypeError} when the name is taken, or the definition does not hold
   */
  define(name: string, definition: PipelineDefinition): Policy;
  /** The pipeline of this name: the same object whatever is reloaded. `undefined` without one. */
  get(name: string): Policy | undefined;
  /**
   * Puts another definition in force. Calls under way end on the old one, and new ones begin on the
   * new one. A policy whose options have not changed is kept with all it knows: a breaker stays open.
   *
   * @returns the revision that serves now
   * @throws {PipelineReloadError} when the new definition does not hold, with the reason as its
   * `cause`; the old one then serves on
   * @throws {RangeError} when there is no pipeline of this name
   */
  reload(name: string, definition: PipelineDefinition): number;
  /** Every pipeline, for a health check or a page. */
  list(): readonly PipelineListing[];
}

const BUILT_IN: PolicyKinds = {
  retry,
  breaker: circuitBreaker,
  timeout,
  hedge,
  fallback,
  cached,
  chaos,
};

class Registry implements Pipelines {
  readonly #pipelines = new Map<string, NamedPipeline>();
  readonly #kinds: PolicyKinds;
  readonly #clock: Clock | undefined;
  readonly #onReload: PipelinesOptions['onReload'];

  constructor(options: PipelinesOptions) {
    this.#kinds = { ...BUILT_IN, ...options.kinds };
    this.#clock = options.clock;
    this.#onReload = options.onReload;
    for (const [name, definition] of Object.entries(options.define ?? {})) {
      this.define(name, definition);
    }
  }

  define(name: string, definition: PipelineDefinition): Policy {
    checkName('pipelines', name);
    if (this.#pipelines.has(name)) {
      throw new TypeError(`pipelines: '${name}' is defined already; reload() replaces it.`);
    }
    const made = new NamedPipeline(
      name,
      definition,
      this.#kinds,
      this.#clock ?? systemClock,
      this.#clock,
    );
    this.#pipelines.set(name, made);
    return made;
  }

  get(name: string): Policy | undefined {
    return this.#pipelines.get(name);
  }

  reload(name: string, definition: PipelineDefinition): number {
    const pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) {
      const known = [...this.#pipelines.keys()].join(', ') || 'none';
      throw new RangeError(`pipelines: no pipeline is named '${name}'; known are ${known}.`);
    }
    const cells = outcomeCells(METRIC_PIPELINE_RELOADS, name, ['applied', 'rejected']);
    try {
      pipeline.replace(definition);
    } catch (cause) {
      const error = new PipelineReloadError(name, pipeline.revision, cause);
      pipeline.lastError = error.message;
      cells.rejected.value++;
      this.#notify({ name, revision: pipeline.revision, error });
      throw error;
    }
    cells.applied.value++;
    this.#notify({ name, revision: pipeline.revision, error: undefined });
    return pipeline.revision;
  }

  list(): readonly PipelineListing[] {
    return [...this.#pipelines.values()].map((pipeline) => pipeline.listing());
  }

  #notify(event: ReloadEvent): void {
    notify(this.#onReload, event, onListenerError);
  }

  [Symbol.dispose](): void {
    for (const pipeline of this.#pipelines.values()) pipeline[Symbol.dispose]();
    this.#pipelines.clear();
  }
}

/**
 * Makes a registry of pipelines whose options are data, and can be replaced while they run.
 *
 * @throws {TypeError | RangeError} at once, when an option or a definition does not hold
 */
export function pipelines(options: PipelinesOptions = {}): Pipelines {
  checkKnown('pipelines', options, ['kinds', 'define', 'onReload', 'clock']);
  if (options.onReload !== undefined) {
    checkType('pipelines', 'onReload', options.onReload, 'function');
  }
  for (const [kind, make] of Object.entries(options.kinds ?? {})) {
    checkType('pipelines', `kinds.${kind}`, make, 'function');
  }
  return new Registry(options);
}

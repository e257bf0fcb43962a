import { type Executor, type Operation, systemClock } from '@temper/core';
import {
  type Call,
  messageOf,
  notify,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { PipelineReloadError } from '../errors.ts';
import { type PipelinePolicy, type PipelineStats, pipeline } from '../pipeline/pipeline.ts';
import {
  build,
  type CheckedLayer,
  checkDefinition,
  type PipelineDefinition,
  type PolicyKinds,
  type SharedOptions,
  sameLayer,
} from './definition.ts';
import { NamedObserver } from './telemetry.ts';

/** A named pipeline, as a list shows it. */
export interface PipelineListing {
  readonly name: string;
  /** Counted from 1, one more with each reload that was applied. */
  readonly revision: number;
  /** Calls in flight, those of replaced revisions included. */
  readonly inFlight: number;
  /** Replaced revisions that still have calls in flight. */
  readonly draining: number;
  /** The definition in force. */
  readonly definition: PipelineDefinition;
  /** Message of the error of the last reload; `undefined` when it was applied. */
  readonly lastError: string | undefined;
  readonly stats: PipelineStats;
}

interface Layer extends CheckedLayer {
  readonly policy: Executor;
}

/** A definition that is or was in force, and the calls that run on it. */
interface Revision {
  readonly definition: PipelineDefinition;
  readonly layers: readonly Layer[];
  readonly pipeline: PipelinePolicy;
  inFlight: number;
}

/** A pipeline that remains the same object when its definition is replaced. */
export class NamedPipeline extends PolicyBase {
  readonly #kinds: PolicyKinds;
  readonly #shared: SharedOptions;
  #current: Revision;
  #revision = 1;
  readonly #draining = new Set<Revision>();
  readonly #observer: NamedObserver;
  #lastError: string | undefined;

  /** @param shared - the options of policies that have no such ones of their own */
  constructor(
    name: string,
    definition: PipelineDefinition,
    kinds: PolicyKinds,
    shared: SharedOptions,
  ) {
    super(name, shared.clock ?? systemClock);
    this.#kinds = kinds;
    this.#shared = shared;
    this.#current = this.#make(definition, []);
    this.#observer = new NamedObserver(this, shared.telemetry);
  }

  get revision(): number {
    return this.#revision;
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const revision = this.#current;
    revision.inFlight++;
    try {
      return await revision.pipeline.runInCall(operation, call);
    } finally {
      revision.inFlight--;
      if (revision.inFlight === 0 && this.#draining.delete(revision)) this.#retire(revision);
    }
  }

  /**
   * Replaces the definition in force.
   *
   * @throws {PipelineReloadError} when the new one is invalid; then nothing changes
   */
  reload(definition: PipelineDefinition): void {
    const old = this.#current;
    try {
      this.#current = this.#make(definition, old.layers);
    } catch (cause) {
      this.#observer.reloads.rejected++;
      const error = new PipelineReloadError(this.name, this.#revision, cause);
      this.#lastError = messageOf(error);
      throw error;
    }
    this.#observer.reloads.applied++;
    this.#revision++;
    this.#lastError = undefined;
    if (old.inFlight > 0) this.#draining.add(old);
    else this.#retire(old);
  }

  #make(definition: PipelineDefinition, previous: readonly Layer[]): Revision {
    const free = [...previous];
    const made: Layer[] = [];
    try {
      const layers = checkDefinition(this.name, definition, this.#kinds).map((checked): Layer => {
        const index = free.findIndex((old) => sameLayer(old, checked));
        const [kept] = index < 0 ? [] : free.splice(index, 1);
        if (kept !== undefined) return kept;
        const policy = build(this.name, checked, this.#kinds, this.#shared);
        const layer = { ...checked, policy };
        made.push(layer);
        return layer;
      });
      const policies = layers.map(({ policy }) => policy);
      const { name, clock } = this;
      return {
        definition: layers.map(({ kind, options }) => ({ [kind]: options })),
        layers,
        pipeline: pipeline({ name, clock }, ...policies),
        inFlight: 0,
      };
    } catch (error) {
      for (const { policy } of made) this.#dispose(policy as Partial<Disposable>);
      throw error;
    }
  }

  /** Disposes of the policies of a revision that are not in use any more. */
  #retire(revision: Revision): void {
    const used = new Set(
      [this.#current, ...this.#draining].flatMap(({ layers }) => layers.map((one) => one.policy)),
    );
    for (const { policy } of revision.layers) {
      if (!used.has(policy)) this.#dispose(policy as Partial<Disposable>);
    }
  }

  /** An error thrown by the `dispose` of a user's policy must not become the result of a call. */
  #dispose(policy: Partial<Disposable> | null | undefined): void {
    notify(this.name, 'dispose', () => policy?.[Symbol.dispose]?.());
  }

  /** Calls in flight, those of replaced revisions included. */
  get inFlight(): number {
    let calls = this.#current.inFlight;
    for (const { inFlight } of this.#draining) calls += inFlight;
    return calls;
  }

  override describe(): PolicyDescription {
    return this.#current.pipeline.describe();
  }

  stats(): PipelineStats {
    return this.#current.pipeline.stats();
  }

  listing(): PipelineListing {
    return {
      name: this.name,
      revision: this.#revision,
      inFlight: this.inFlight,
      draining: this.#draining.size,
      definition: this.#current.definition,
      lastError: this.#lastError,
      stats: this.stats(),
    };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
    for (const { policy } of this.#current.layers) this.#dispose(policy as Partial<Disposable>);
  }
}

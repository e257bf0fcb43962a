import {
  type CallContext,
  type Clock,
  type Executor,
  type Operation,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { type PipelinePolicy, type PipelineStats, pipeline } from '../pipeline/pipeline.ts';
import { METRIC_PIPELINE_IN_FLIGHT } from '../semconv.ts';
import { observe, policyAttributes } from '../telemetry.ts';
import {
  build,
  type CheckedLayer,
  checkDefinition,
  type PipelineDefinition,
  type PolicyKinds,
  sameLayer,
} from './definition.ts';
import type { PipelineListing } from './pipelines.ts';

interface Layer extends CheckedLayer {
  readonly policy: Executor;
}

/** One definition in force, and the calls that run on it. */
interface Revision {
  readonly definition: PipelineDefinition;
  readonly layers: readonly Layer[];
  readonly pipeline: PipelinePolicy;
  inFlight: number;
}

/** A pipeline that stays the same object while its definition is replaced. */
export class NamedPipeline extends PolicyBase {
  readonly #kinds: PolicyKinds;
  readonly #policyClock: Clock | undefined;
  #current: Revision;
  #revision = 1;
  readonly #draining = new Set<Revision>();
  readonly #gauge: Disposable;
  lastError: string | undefined;

  /** @param policyClock - given to the policies, unless they name one of their own */
  constructor(
    name: string,
    definition: PipelineDefinition,
    kinds: PolicyKinds,
    clock: Clock,
    policyClock: Clock | undefined,
  ) {
    super(name, clock);
    this.#kinds = kinds;
    this.#policyClock = policyClock;
    this.#current = this.#make(definition, []);
    this.#gauge = observe<NamedPipeline>(this, (owner, emit) => {
      emit(METRIC_PIPELINE_IN_FLIGHT, policyAttributes(owner.name), owner.#inFlight());
    });
  }

  get revision(): number {
    return this.#revision;
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    const revision = this.#current;
    revision.inFlight++;
    try {
      return await revision.pipeline.runInCall(operation, context);
    } finally {
      revision.inFlight--;
      if (revision.inFlight === 0 && this.#draining.delete(revision)) this.#letGo(revision);
    }
  }

  /** Puts another definition in force, or throws and changes nothing. */
  replace(definition: PipelineDefinition): void {
    const old = this.#current;
    this.#current = this.#make(definition, old.layers);
    this.#revision++;
    this.lastError = undefined;
    if (old.inFlight > 0) this.#draining.add(old);
    else this.#letGo(old);
  }

  #make(definition: PipelineDefinition, previous: readonly Layer[]): Revision {
    const free = [...previous];
    const made: Layer[] = [];
    try {
      const layers = checkDefinition(this.name, definition, this.#kinds).map((checked): Layer => {
        const index = free.findIndex((old) => sameLayer(old, checked));
        const [kept] = index < 0 ? [] : free.splice(index, 1);
        if (kept !== undefined) return kept;
        const policy = build(this.name, checked, this.#kinds, this.#policyClock);
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
      for (const { policy } of made) dispose(policy);
      throw error;
    }
  }

  /** Disposes of the policies of a revision that nothing uses any more. */
  #letGo(revision: Revision): void {
    const used = new Set(
      [this.#current, ...this.#draining].flatMap(({ layers }) => layers.map((one) => one.policy)),
    );
    for (const { policy } of revision.layers) {
      if (!used.has(policy)) dispose(policy);
    }
  }

  #inFlight(): number {
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
      inFlight: this.#inFlight(),
      draining: this.#draining.size,
      definition: this.#current.definition,
      lastError: this.lastError,
      stats: this.stats(),
    };
  }

  [Symbol.dispose](): void {
    this.#gauge[Symbol.dispose]();
    for (const { policy } of this.#current.layers) dispose(policy);
  }
}

function dispose(policy: Executor): void {
  (policy as Partial<Disposable>)[Symbol.dispose]?.();
}

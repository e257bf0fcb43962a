import { errorType } from '../classify.ts';
import type { Outcome } from '../contract.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import type { InstrumentationScope } from './scope.ts';
import { ATTR_ERROR_TYPE } from './semconv.ts';
import { type Cell, seriesKey } from './series.ts';
import { failureType } from './spans.ts';

/** Most values of `error.type` that policies of one name count apart, `_OTHER` for the rest included. */
const MAX_ERROR_TYPES = 12;

/** The series of a counter split by `error.type`, of bounded number. */
export class ErrorTypeCells {
  readonly #scope: InstrumentationScope;
  readonly #definition: MetricDefinition;
  readonly #base: Attributes;
  readonly #attributes: Attributes;
  /** By type, so that the key of each is computed once. */
  readonly #byType = new Map<string, Attributes>();

  /**
   * @param base - attributes that all series of the policy have
   * @param attributes - those of these series, with them
   */
  constructor(
    scope: InstrumentationScope,
    definition: MetricDefinition,
    base: Attributes,
    attributes: Attributes,
  ) {
    this.#scope = scope;
    this.#definition = definition;
    this.#base = base;
    this.#attributes = attributes;
  }

  /** The series that this error counts in. */
  of(error: unknown): Cell {
    return this.#of(errorType(error));
  }

  /** The series that a failed outcome counts in, under the type that its span shows. */
  ofOutcome(outcome: Outcome<unknown>): Cell {
    return this.#of(failureType(outcome));
  }

  #of(type: string): Cell {
    const types = this.#shared();
    const isKnown = types.has(type);
    const counted = isKnown || types.size < MAX_ERROR_TYPES - 1 ? type : '_OTHER';
    if (!isKnown) types.add(counted);
    return this.#scope.counter(this.#definition, this.#with(counted), this.#base);
  }

  /** Policies of one name share a bound as they share series. */
  #shared(): Set<string> {
    const life = this.#scope.life(this.#base);
    life.errorTypes ??= new Map();
    const key = `${this.#definition.name} ${seriesKey(this.#attributes)}`;
    let types = life.errorTypes.get(key);
    if (types === undefined) {
      types = new Set();
      life.errorTypes.set(key, types);
    }
    return types;
  }

  #with(type: string): Attributes {
    let attributes = this.#byType.get(type);
    if (attributes === undefined) {
      attributes = { ...this.#attributes, [ATTR_ERROR_TYPE.name]: type };
      this.#byType.set(type, attributes);
    }
    return attributes;
  }
}

import { errorType } from '../classify.ts';
import type { Outcome } from '../contract.ts';
import type { Attributes, Cell, MetricDefinition } from './definitions.ts';
import type { Life } from './life.ts';
import type { InstrumentationScope } from './scope.ts';
import { ATTR_ERROR_TYPE } from './semconv.ts';
import { seriesKey } from './series.ts';
import { failureType } from './spans.ts';

/** Most values of `error.type` that policies of one name count apart, `_OTHER` for the rest included. */
const MAX_ERROR_TYPES = 12;

/** The series of a counter split by `error.type`, of bounded number. */
export class ErrorTypeCells {
  readonly #scope: InstrumentationScope;
  readonly #definition: MetricDefinition;
  readonly #base: Attributes;
  readonly #attributes: Attributes;
  /** The life that {@link #cells} belong to: when it is over they are dropped, and others begin. */
  #life: Life | undefined;
  #cells: Map<string, Cell> | undefined;

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
    const cells = this.#current();
    const known = cells.get(type);
    if (known !== undefined) return known;
    const counted = cells.size < MAX_ERROR_TYPES - 1 ? type : '_OTHER';
    let cell = cells.get(counted);
    if (cell === undefined) {
      const attributes = { ...this.#attributes, [ATTR_ERROR_TYPE.name]: counted };
      cell = this.#scope.counter(this.#definition, attributes, this.#base);
      cells.set(counted, cell);
    }
    return cell;
  }

  /** The series by type. Policies of one name share them, and their bound. */
  #current(): Map<string, Cell> {
    const life = this.#scope.life(this.#base);
    if (this.#cells !== undefined && life === this.#life) return this.#cells;
    this.#life = life;
    life.errorCells ??= new Map();
    const key = `${this.#definition.name} ${seriesKey(this.#attributes)}`;
    this.#cells = life.errorCells.get(key) ?? new Map();
    life.errorCells.set(key, this.#cells);
    return this.#cells;
  }
}

import { errorType } from '../classify.ts';
import type { Outcome } from '../contract.ts';
import { processState } from '../process-state.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import type { InstrumentationScope } from './scope.ts';
import { ATTR_ERROR_TYPE } from './semconv.ts';
import { type Cell, seriesKey } from './series.ts';
import { failureType } from './spans.ts';

/** Most values of `error.type` that policies of one name count apart, `_OTHER` for the rest included. */
const MAX_ERROR_TYPES = 12;

/** By scope, then by metric and attributes: policies of one name share a bound as they share series. */
type Opened = WeakMap<InstrumentationScope, Map<string, Map<string, Cell>>>;

/** One bound per process, as there is one scope for all installed copies of core. */
const opened: () => Opened = /* @__PURE__ */ processState('error-types.1', () => new WeakMap());

/** The series of a counter split by `error.type`, of bounded number. */
export class ErrorTypeCells {
  readonly #scope: InstrumentationScope;
  readonly #definition: MetricDefinition;
  readonly #attributes: Attributes;
  #cells: Map<string, Cell> | undefined;

  constructor(scope: InstrumentationScope, definition: MetricDefinition, attributes: Attributes) {
    this.#scope = scope;
    this.#definition = definition;
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
    const cells = this.#shared();
    return cells.get(type) ?? this.#open(cells, cells.size < MAX_ERROR_TYPES - 1 ? type : '_OTHER');
  }

  #shared(): Map<string, Cell> {
    if (this.#cells === undefined) {
      const byScope = opened();
      const families = byScope.get(this.#scope) ?? new Map<string, Map<string, Cell>>();
      byScope.set(this.#scope, families);
      const key = `${this.#definition.name} ${seriesKey(this.#attributes)}`;
      this.#cells = families.get(key) ?? new Map();
      families.set(key, this.#cells);
    }
    return this.#cells;
  }

  #open(cells: Map<string, Cell>, type: string): Cell {
    let cell = cells.get(type);
    if (cell === undefined) {
      const attributes = { ...this.#attributes, [ATTR_ERROR_TYPE.name]: type };
      cell = this.#scope.counter(this.#definition, attributes);
      cells.set(type, cell);
    }
    return cell;
  }
}

import {
  type CallContext,
  type Operation,
  type Policy,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { ChaosFaultError } from '../errors.ts';
import { ask } from '../predicate.ts';
import {
  ATTR_CHAOS_KIND,
  CHAOS_KINDS,
  type ChaosKind,
  METRIC_CHAOS_INJECTIONS,
} from '../semconv.ts';
import { cellsBy, endSpan, live, openSpan, policyAttributes, type Span } from '../telemetry.ts';
import { type ChaosOptions, type ResolvedChaosOptions, resolveChaosOptions } from './options.ts';

/** What chaos has done since it was made. */
export interface ChaosStats {
  readonly enabled: boolean;
  readonly calls: number;
  readonly injections: Readonly<Record<ChaosKind, number>>;
}

/** Chaos. */
export interface ChaosPolicy extends Policy {
  stats(): ChaosStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Chaos extends PolicyBase implements ChaosPolicy {
  readonly #options: ResolvedChaosOptions;
  readonly #cells: ReturnType<typeof cellsBy<ChaosKind>>;
  readonly #injections: Record<ChaosKind, number> = { fault: 0, latency: 0, result: 0 };
  #calls = 0;

  constructor(options: ResolvedChaosOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#cells = cellsBy(
      METRIC_CHAOS_INJECTIONS,
      policyAttributes(options.name),
      ATTR_CHAOS_KIND.name,
      CHAOS_KINDS,
    );
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    this.#calls++;
    if (!this.#enabled()) return operation(context);
    const { latency, fault, result } = this.#options;
    if (latency !== undefined && this.#hits(latency.rate)) {
      const { delayMs } = latency;
      const span = this.#inject('latency', context);
      try {
        const ms = typeof delayMs === 'function' ? delayMs() : delayMs;
        if (ms > 0) await this.clock.sleep(ms, context.abortable);
      } finally {
        endSpan(span, this.clock.now());
      }
    }
    if (fault !== undefined && this.#hits(fault.rate)) {
      endSpan(this.#inject('fault', context), this.clock.now());
      throw fault.error === undefined ? new ChaosFaultError(this.name) : fault.error();
    }
    if (result !== undefined && this.#hits(result.rate)) {
      endSpan(this.#inject('result', context), this.clock.now());
      return result.value() as T;
    }
    return operation(context);
  }

  #enabled(): boolean {
    const { enabled } = this.#options;
    return typeof enabled === 'function' ? ask(enabled) : enabled;
  }

  #hits(rate: number): boolean {
    return this.#options.random() < rate;
  }

  #inject(kind: ChaosKind, context: CallContext): Span | undefined {
    this.#injections[kind]++;
    this.#cells[kind].value++;
    if (!live.traces || this.#options.spans === 'none') return undefined;
    const attributes = { [ATTR_CHAOS_KIND.name]: kind };
    return openSpan(`chaos ${this.name}`, this.name, context, this.clock.now(), attributes);
  }

  override describe(): PolicyDescription {
    return { kind: 'chaos' };
  }

  stats(): ChaosStats {
    return {
      enabled: this.#enabled(),
      calls: this.#calls,
      injections: { ...this.#injections },
    };
  }

  [Symbol.dispose](): void {
    // Nothing to take back: chaos has no levels, and its totals stay.
  }
}

/**
 * Makes a policy that injects delays, faults and results, so that what is around it can be seen at
 * work. Put it innermost. It does nothing unless switched on, and says in span and metric that it was
 * it.
 *
 * @throws {TypeError | RangeError} at construction, when an option is unknown or out of range
 */
export function chaos(options: ChaosOptions = {}): ChaosPolicy {
  return new Chaos(resolveChaosOptions(options));
}

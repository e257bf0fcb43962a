import type { Operation, Policy } from '@temper/core';
import {
  ask,
  askNumber,
  type Call,
  type GuardedSpan,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { ChaosFaultError } from '../errors.ts';
import type { ChaosKind } from '../semconv.ts';
import { type ChaosOptions, type ResolvedChaosOptions, resolveChaosOptions } from './options.ts';
import { ChaosTelemetry } from './telemetry.ts';

/** What a chaos policy has done since it was created. */
export interface ChaosStats {
  readonly enabled: boolean;
  readonly calls: number;
  readonly injections: Readonly<Record<ChaosKind, number>>;
}

/** A chaos policy. */
export interface ChaosPolicy extends Policy {
  stats(): ChaosStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Chaos extends PolicyBase implements ChaosPolicy {
  readonly #options: ResolvedChaosOptions;
  readonly #telemetry: ChaosTelemetry;
  #calls = 0;

  constructor(options: ResolvedChaosOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#telemetry = new ChaosTelemetry(this, options);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    this.#calls++;
    if (!this.#enabled()) return await operation(call);
    const { latency, fault, result } = this.#options;
    if (latency !== undefined && this.#hits(latency.rate)) {
      const span = this.#inject('latency', call);
      try {
        await this.#delay(latency.delayMs, call);
      } finally {
        span?.end(this.clock.now());
      }
    }
    if (fault !== undefined && this.#hits(fault.rate)) {
      this.#inject('fault', call)?.end(this.clock.now());
      throw fault.error === undefined ? new ChaosFaultError(this.name) : await fault.error();
    }
    if (result !== undefined && this.#hits(result.rate)) {
      this.#inject('result', call)?.end(this.clock.now());
      return result.value() as T;
    }
    return await operation(call);
  }

  #enabled(): boolean {
    const { enabled } = this.#options;
    return typeof enabled === 'function' ? ask(this.name, 'enabled', enabled) : enabled;
  }

  #hits(rate: number): boolean {
    return this.#options.random() < rate;
  }

  async #delay(delayMs: number | (() => number), call: Call): Promise<void> {
    const ms =
      typeof delayMs === 'function' ? askNumber(this.name, 'latency.delayMs', delayMs) : delayMs;
    if (ms !== undefined && ms > 0) await this.clock.sleep(ms, call.abortable);
  }

  #inject(kind: ChaosKind, call: Call): GuardedSpan | undefined {
    this.#telemetry.injections[kind]++;
    return this.#telemetry.span(kind, call);
  }

  override describe(): PolicyDescription {
    return { kind: 'chaos' };
  }

  stats(): ChaosStats {
    return {
      enabled: this.#enabled(),
      calls: this.#calls,
      injections: { ...this.#telemetry.injections },
    };
  }

  [Symbol.dispose](): void {
    this.#telemetry[Symbol.dispose]();
  }
}

/**
 * Creates a policy that injects delays, faults and results, to show how the policies around it react.
 * Put it innermost. It does nothing unless it is enabled, and reports each injection in spans and
 * metrics.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function chaos(options: ChaosOptions = {}): ChaosPolicy {
  return new Chaos(resolveChaosOptions(options));
}

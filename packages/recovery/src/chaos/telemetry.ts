import {
  by,
  type Call,
  type Counts,
  type GuardedSpan,
  type Instrumentation,
} from '@temper/core/policy';
import {
  ATTR_CHAOS_KIND,
  CHAOS_KINDS,
  type ChaosKind,
  METRIC_CHAOS_INJECTIONS,
} from '../semconv.ts';
import { eventSpan, instrumentation } from '../telemetry.ts';
import type { ResolvedChaosOptions } from './options.ts';

const telemetry = instrumentation([METRIC_CHAOS_INJECTIONS]);
const KINDS = by(ATTR_CHAOS_KIND.name, CHAOS_KINDS);

/** What a chaos policy reports to OpenTelemetry. */
export class ChaosTelemetry implements Disposable {
  readonly injections: Counts<ChaosKind>;
  readonly #telemetry: Instrumentation;
  readonly #policy: { readonly name: string };
  readonly #options: ResolvedChaosOptions;

  constructor(policy: { readonly name: string }, options: ResolvedChaosOptions) {
    this.#telemetry = telemetry.of(options.telemetry);
    this.#policy = policy;
    this.#options = options;
    this.injections = this.#telemetry.counts(policy, METRIC_CHAOS_INJECTIONS, KINDS);
  }

  /** @returns the span of an injection; `undefined` when it gets none */
  span(kind: ChaosKind, call: Call): GuardedSpan | undefined {
    const { name: policy, spans, clock } = this.#options;
    if (!this.#telemetry.live.traces || spans === 'none') return undefined;
    const owner = { telemetry: this.#telemetry, policy, kind: 'chaos' };
    return eventSpan(owner, call, KINDS[kind], clock.now());
  }

  [Symbol.dispose](): void {
    this.#telemetry.release(this.#policy);
  }
}

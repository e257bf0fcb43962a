import type { CallContext, Clock, SpanMode } from '@temper/core';
import { notify } from '@temper/core';
import { RateLimitExceededError, StoreUnavailableError } from '../errors.ts';
import type { RequestCounts } from '../limiter.ts';
import type { ResolvedQueueOptions } from '../options.ts';
import { type MutableCounts, noCounts } from '../queued-limiter.ts';
import { type LimiterMeter, limiterMeter, onListenerError, RequestTrace } from '../telemetry.ts';
import type { StoreFailureMode } from './options.ts';

/** What a shared limiter has done, and how it stands with its store. */
export interface SharedStats extends RequestCounts {
  /** Refused with {@link StoreUnavailableError}. */
  readonly unavailable: number;
  /** Calls waiting for their turn. */
  readonly queued: number;
  /** Whether the store answered when it was last asked. */
  readonly storeAvailable: boolean;
  /** Questions that the store did not answer. */
  readonly storeErrors: number;
  /** Calls decided without the store, by what decided. */
  readonly fallbacks: Readonly<Record<StoreFailureMode, number>>;
  /** Processes that share the limit, as far as is known. */
  readonly nodes: number;
}

/** Where a shared limiter counts, and tells of single calls. */
export class SharedBooks {
  readonly #policy: string;
  readonly #clock: Clock;
  readonly #spans: SpanMode;
  readonly #onReject: ResolvedQueueOptions['onReject'];
  readonly #meter: LimiterMeter;
  readonly #counts: MutableCounts = noCounts();
  readonly #fallbacks: Record<StoreFailureMode, number> = { local: 0, open: 0, closed: 0 };
  #unavailable = 0;
  #storeErrors = 0;
  #storeAvailable = true;

  constructor({ name, clock, spans, onReject }: ResolvedQueueOptions) {
    this.#policy = name;
    this.#clock = clock;
    this.#spans = spans;
    this.#onReject = onReject;
    this.#meter = limiterMeter(name);
  }

  /** Begins to follow one call. */
  begin(cost: number, call: CallContext | undefined): OpenRequest {
    const trace = RequestTrace.begin({
      policy: this.#policy,
      mode: this.#spans,
      cost,
      call,
      now: this.#clock.now,
      lazily: true,
    });
    return { since: this.#clock.monotonic(), trace };
  }

  passed({ since, trace }: OpenRequest, waited: boolean): void {
    this.count(waited);
    if (!waited) return;
    this.#record('delayed', since);
    trace?.end('delayed');
  }

  /** A call that passed, of which nothing else is told. */
  count(waited: boolean): void {
    const outcome = waited ? 'delayed' : 'allowed';
    this.#counts[outcome]++;
    this.#meter.outcome(outcome).value++;
  }

  /** A question by hand that was answered with no. */
  refused(): void {
    this.#counts.rejected++;
    this.#meter.rejected('limit').value++;
  }

  failed({ since, trace }: OpenRequest, error: unknown): void {
    if (error instanceof RateLimitExceededError) {
      this.#counts.rejected++;
      this.#meter.rejected(error.reason).value++;
      this.#record('rejected', since);
      trace?.end('rejected', error);
      notify(this.#onReject, error, onListenerError);
    } else if (error instanceof StoreUnavailableError) {
      this.#unavailable++;
      this.#meter.outcome('unavailable').value++;
      trace?.end('unavailable', error);
    } else {
      this.#counts.aborted++;
      this.#meter.outcome('aborted').value++;
      this.#record('aborted', since);
      trace?.end('aborted');
    }
  }

  /** The store has answered. */
  found(): void {
    this.#storeAvailable = true;
  }

  /** The store has not answered, and this decides in its place. */
  lost(error: unknown, mode: StoreFailureMode): void {
    this.#storeErrors++;
    this.#storeAvailable = false;
    this.#meter.storeError(error);
    this.#fallbacks[mode]++;
    this.#meter.fallback(mode).value++;
  }

  #record(outcome: 'delayed' | 'rejected' | 'aborted', since: number): void {
    if (!this.#meter.live.metrics) return;
    this.#meter.waited(outcome).record((this.#clock.monotonic() - since) / 1000);
  }

  stats(queued: number, nodes: number): SharedStats {
    return {
      ...this.#counts,
      unavailable: this.#unavailable,
      queued,
      storeAvailable: this.#storeAvailable,
      storeErrors: this.#storeErrors,
      fallbacks: { ...this.#fallbacks },
      nodes,
    };
  }
}

/** A call that is being followed. */
export interface OpenRequest {
  readonly since: number;
  readonly trace: RequestTrace | undefined;
}

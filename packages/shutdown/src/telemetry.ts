import type { Attributes } from '@temper/core';
import {
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  activeContext,
  byOutcome,
  type Counts,
  type Emit,
  type GuardedSpan,
  Instrumentation,
  policyAttributes,
} from '@temper/core/policy';
import { enumerate } from './enumerate.ts';
import { HANDLER_OUTCOMES, type HandlerOutcome, type ShutdownOutcome } from './phases.ts';
import type { ShutdownReason } from './reason.ts';
import type { HandlerResult } from './report.ts';
import {
  ATTR_HANDLER,
  ATTR_IN_FLIGHT,
  ATTR_PHASE,
  ATTR_REASON,
  EVENT_FINISHED,
  METRIC_DURATION,
  METRIC_HANDLERS,
  METRIC_IN_FLIGHT,
  METRIC_STOPPING,
  SHUTDOWN_METRICS,
} from './semconv.ts';
import { VERSION } from './version.ts';

const telemetry = new Instrumentation({
  name: '@temper/shutdown',
  version: VERSION,
  metrics: SHUTDOWN_METRICS,
});

const OUTCOMES = byOutcome(HANDLER_OUTCOMES);

/** A shutdown as read at each metric collection. */
export interface ObservableShutdown {
  readonly name: string;
  readonly state: string;
  inFlight(): number;
}

/** The counts of the handlers by outcome, which the shutdown adds to. */
export function handlerCounts(shutdown: ObservableShutdown): Counts<HandlerOutcome> {
  return telemetry.counts(shutdown, METRIC_HANDLERS, OUTCOMES);
}

/** Records the duration of a shutdown, in seconds. */
export function recordDuration(name: string, outcome: ShutdownOutcome, seconds: number): void {
  telemetry.histogram(METRIC_DURATION, name, { [ATTR_OUTCOME]: outcome }).record(seconds);
}

/** Reports the work in flight, and whether the shutdown is in progress, at each metric collection. */
export function observeShutdown(shutdown: ObservableShutdown): Disposable {
  return telemetry.observe(shutdown, readLevels);
}

function readLevels(shutdown: ObservableShutdown, emit: Emit): void {
  const attributes = policyAttributes(shutdown.name);
  emit(METRIC_IN_FLIGHT, attributes, shutdown.inFlight());
  emit(METRIC_STOPPING, attributes, shutdown.state === 'stopping' ? 1 : 0);
}

/** The spans of one shutdown: its phases, and their handlers below them. Never throws. */
export class ShutdownTrace {
  readonly #name: string;
  readonly #root: GuardedSpan;

  constructor(name: string, reason: ShutdownReason, inFlight: number) {
    this.#name = name;
    const attributes = {
      [ATTR_POLICY_NAME.name]: name,
      [ATTR_REASON.name]: reason.kind === 'signal' ? reason.signal : reason.kind,
      [ATTR_IN_FLIGHT.name]: inFlight,
    };
    this.#root = telemetry.span('shutdown', attributes, activeContext());
  }

  phase(phase: string): PhaseTrace {
    const attributes = { [ATTR_POLICY_NAME.name]: this.#name, [ATTR_PHASE.name]: phase };
    return new PhaseTrace(attributes, this.#root.child(`phase ${phase}`, attributes));
  }

  /**
   * Emits the log record in the context of the span, then ends the span.
   *
   * @param summary - the report, of several lines
   */
  end(outcome: ShutdownOutcome, summary: string): void {
    const completed = outcome === 'completed';
    telemetry.log({
      event: EVENT_FINISHED,
      severity: completed ? 'INFO' : 'WARN',
      body: summary,
      multiline: true,
      attributes: { [ATTR_POLICY_NAME.name]: this.#name, [ATTR_OUTCOME]: outcome },
      context: this.#root.context,
    });
    this.#root.set({ [ATTR_OUTCOME]: outcome });
    endSpan(this.#root, completed ? undefined : new Problem(outcome, summary));
  }
}

/** The spans of one phase. */
export class PhaseTrace {
  readonly #attributes: Attributes;
  readonly #span: GuardedSpan;

  constructor(attributes: Attributes, span: GuardedSpan) {
    this.#attributes = attributes;
    this.#span = span;
  }

  /** Starts the span of a handler. `run` activates it, `ended` ends it. */
  handler(handler: string): {
    readonly run: <T>(work: () => T) => T;
    readonly ended: (result: HandlerResult) => void;
  } {
    const attributes = { ...this.#attributes, [ATTR_HANDLER.name]: handler };
    const span = this.#span.child(`handler ${handler}`, attributes);
    return {
      run: (work) => span.run(work),
      ended: ({ outcome, error }) => {
        const problem = error ?? new Problem(outcome, 'no time was left');
        span.set({ [ATTR_OUTCOME]: outcome });
        endSpan(span, outcome === 'completed' ? undefined : problem);
      },
    };
  }

  end(results: readonly HandlerResult[]): void {
    const bad = results.filter(({ outcome }) => outcome !== 'completed');
    const names = enumerate(bad.map(({ name }) => name));
    endSpan(this.#span, bad[0] && new Problem(bad[0].outcome, `did not complete: ${names}`));
  }
}

/** @param problem - error for the status of the span; undefined if there is none */
function endSpan(span: GuardedSpan, problem: unknown): void {
  if (problem !== undefined) span.fail({ ok: false, error: problem });
  span.end();
}

/** Provides the message of a span's status, and an outcome for `error.type`. */
class Problem extends Error {
  override readonly name: string;

  constructor(type: string, message: string) {
    super(message);
    this.name = type;
  }
}

import { type Context, context, SeverityNumber, type Span, trace } from '@opentelemetry/api';
import {
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Attributes,
  type Cell,
  failSpan,
  type InstrumentationScope,
  instrumentationScope,
  runInSpan,
} from '@temper/core';
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
  SHUTDOWN_METRICS,
} from './semconv.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/shutdown',
  version: VERSION,
  metrics: SHUTDOWN_METRICS,
});

/** Logs an error thrown by user code. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/** The counter cells of the handlers, one per outcome. */
export function handlerCells(name: string): Readonly<Record<HandlerOutcome, Cell>> {
  return Object.fromEntries(
    HANDLER_OUTCOMES.map((outcome) => [
      outcome,
      scope.counter(METRIC_HANDLERS, { [ATTR_POLICY_NAME.name]: name, [ATTR_OUTCOME]: outcome }),
    ]),
  ) as Record<HandlerOutcome, Cell>;
}

/** Records the duration of a shutdown, in seconds. */
export function recordDuration(name: string, outcome: ShutdownOutcome, seconds: number): void {
  const attributes = { [ATTR_POLICY_NAME.name]: name, [ATTR_OUTCOME]: outcome };
  scope.histogram(METRIC_DURATION, attributes).record(seconds);
}

/** Reports the work in flight at each metric collection. */
export function observeInFlight(shutdown: {
  readonly name: string;
  inFlight(): number;
}): Disposable {
  return scope.observe(shutdown, (owner, emit) => {
    emit(METRIC_IN_FLIGHT, { [ATTR_POLICY_NAME.name]: owner.name }, owner.inFlight());
  });
}

/** A span whose errors are logged and never reach the shutdown. */
class GuardedSpan {
  readonly #parent: Context;
  #span: Span | undefined;

  constructor(name: string, attributes: Attributes, parent: Context) {
    this.#parent = parent;
    scope.safely(() => {
      this.#span = scope.tracer.startSpan(name, { attributes }, parent);
    });
  }

  get context(): Context {
    return this.#span === undefined ? this.#parent : trace.setSpan(this.#parent, this.#span);
  }

  run<T>(work: () => T): T {
    return this.#span === undefined ? work() : runInSpan(this.#span, work);
  }

  /** @param problem - error for the status of the span; undefined if there is none */
  end(attributes: Attributes, problem: unknown): void {
    scope.safely(() => {
      this.#span?.setAttributes(attributes);
      if (this.#span !== undefined && problem !== undefined) failSpan(this.#span, problem);
      this.#span?.end();
    });
  }
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
    this.#root = new GuardedSpan('shutdown', attributes, context.active());
  }

  phase(phase: string): PhaseTrace {
    return new PhaseTrace(this.#name, phase, this.#root.context);
  }

  /** Emits the log record in the context of the span, then ends the span. */
  end(outcome: ShutdownOutcome, summary: string): void {
    const bad = outcome !== 'completed';
    scope.safely(() =>
      scope.logger.emit({
        eventName: EVENT_FINISHED,
        severityNumber: bad ? SeverityNumber.WARN : SeverityNumber.INFO,
        severityText: bad ? 'WARN' : 'INFO',
        body: summary,
        attributes: { [ATTR_POLICY_NAME.name]: this.#name, [ATTR_OUTCOME]: outcome },
        context: this.#root.context,
      }),
    );
    const problem = bad ? new Problem(outcome, summary) : undefined;
    this.#root.end({ [ATTR_OUTCOME]: outcome }, problem);
  }
}

/** The spans of one phase. */
export class PhaseTrace {
  readonly #name: string;
  readonly #phase: string;
  readonly #span: GuardedSpan;

  constructor(name: string, phase: string, parent: Context) {
    this.#name = name;
    this.#phase = phase;
    const attributes = { [ATTR_POLICY_NAME.name]: name, [ATTR_PHASE.name]: phase };
    this.#span = new GuardedSpan(`phase ${phase}`, attributes, parent);
  }

  /** Starts the span of a handler. `run` activates it, `ended` ends it. */
  handler(handler: string): {
    readonly run: <T>(work: () => T) => T;
    readonly ended: (result: HandlerResult) => void;
  } {
    const attributes = {
      [ATTR_POLICY_NAME.name]: this.#name,
      [ATTR_PHASE.name]: this.#phase,
      [ATTR_HANDLER.name]: handler,
    };
    const span = new GuardedSpan(`handler ${handler}`, attributes, this.#span.context);
    return {
      run: (work) => span.run(work),
      ended: ({ outcome, error }) => {
        const problem = error ?? new Problem(outcome, 'no time was left');
        span.end({ [ATTR_OUTCOME]: outcome }, outcome === 'completed' ? undefined : problem);
      },
    };
  }

  end(results: readonly HandlerResult[]): void {
    const bad = results.filter(({ outcome }) => outcome !== 'completed');
    const names = bad.map(({ name }) => name).join(', ');
    this.#span.end({}, bad[0] && new Problem(bad[0].outcome, `did not complete: ${names}`));
  }
}

/** Provides the message of a span's status, and an outcome for `error.type`. */
class Problem extends Error {
  override readonly name: string;

  constructor(type: string, message: string) {
    super(message);
    this.name = type;
  }
}

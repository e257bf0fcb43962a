import {
  type Context,
  context,
  SeverityNumber,
  type Span,
  SpanStatusCode,
} from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Attributes,
  type CallContext,
  type Cell,
  type Emit,
  errorType,
  failSpan,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  type Live,
  runInSpan,
  type SpanMode,
  statusOf,
} from '@temper/core';
import type { CircuitStateName } from './circuit.ts';
import type { StateChange } from './events.ts';
import {
  ATTR_FROM,
  ATTR_REASON,
  ATTR_STATE,
  ATTR_TO,
  BREAKER_METRICS,
  type CallOutcome,
  CIRCUIT_STATES,
  EVENT_TRANSITION,
  METRIC_CALL_DURATION,
  METRIC_CALLS,
  METRIC_FAILURE_RATIO,
  METRIC_SLOW_CALL_RATIO,
  METRIC_STATE,
  METRIC_TRANSITIONS,
} from './semconv.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/breaker',
  version: VERSION,
  metrics: BREAKER_METRICS,
});

/** What is switched on in this process. */
export const live: Live = scope.live;

/** Reports what user code threw. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/**
 * What one policy counts in. Each series is opened when it is first counted in: a breaker that nobody
 * calls has none, and stays small.
 */
export class BreakerMeter {
  /** Of this policy alone, while a series is of all policies of the name. */
  #successes = 0;
  readonly #others = { failure: 0, slow: 0, ignored: 0, rejected: 0 };
  readonly #policy: string;
  #success: Cell | undefined;
  readonly #cells: Partial<Record<CallOutcome, Cell>> = {};
  #durations: Partial<Record<CallOutcome, HistogramSeries>> | undefined;

  constructor(policy: string) {
    this.#policy = policy;
  }

  /** Counts a success: apart from the others, as it is what nearly every call is. */
  success(): void {
    this.#successes++;
    this.#success ??= this.#open('success');
    this.#success.value++;
  }

  count(outcome: CallOutcome): void {
    if (outcome === 'success') {
      this.success();
      return;
    }
    this.#others[outcome]++;
    this.#cells[outcome] ??= this.#open(outcome);
    this.#cells[outcome].value++;
  }

  calls(): Record<CallOutcome, number> {
    return { success: this.#successes, ...this.#others };
  }

  duration(outcome: CallOutcome, seconds: number): void {
    this.#durations ??= {};
    this.#durations[outcome] ??= scope.histogram(METRIC_CALL_DURATION, this.#attributes(outcome));
    this.#durations[outcome].record(seconds);
  }

  #open(outcome: CallOutcome): Cell {
    return scope.counter(METRIC_CALLS, this.#attributes(outcome));
  }

  #attributes(outcome: CallOutcome): Attributes {
    return { [ATTR_POLICY_NAME.name]: this.#policy, [ATTR_OUTCOME]: outcome };
  }
}

/** Counts a change of state, and writes the log record that it deserves. */
export function recordTransition(change: StateChange, message: string): void {
  const attributes = {
    [ATTR_POLICY_NAME.name]: change.policy,
    [ATTR_FROM.name]: change.from,
    [ATTR_TO.name]: change.to,
  };
  scope.counter(METRIC_TRANSITIONS, attributes).value++;
  const opened = change.to === 'open' || change.to === 'isolated';
  scope.safely(() =>
    scope.logger.emit({
      eventName: EVENT_TRANSITION,
      severityNumber: opened ? SeverityNumber.WARN : SeverityNumber.INFO,
      severityText: opened ? 'WARN' : 'INFO',
      body: message,
      attributes: {
        ...attributes,
        [ATTR_REASON.name]: change.reason,
        ...(change.failure === undefined
          ? undefined
          : { [ATTR_ERROR_TYPE.name]: failureType(change.failure) }),
      },
    }),
  );
}

/** What the gauges are read from. */
export interface BreakerLevels {
  readonly name: string;
  readonly state: CircuitStateName;
  /** Shares in the window, where there is one; `slow` where slow calls count. */
  ratios(): { readonly failure: number | undefined; readonly slow: number | undefined };
}

/**
 * The breakers whose levels are read. Weakly, so that one that nobody holds is let go; and in one set,
 * since an observer for each would weigh more than the breaker.
 */
const observed = new Set<WeakRef<BreakerLevels>>();
/** Size at which to look for those that are gone. */
let sweepAt = 64;

/** Reads a breaker's levels at each collection, until {@link unobserveBreaker}. */
export function observeBreaker(breaker: BreakerLevels): WeakRef<BreakerLevels> {
  if (observed.size >= sweepAt) {
    for (const ref of observed) if (ref.deref() === undefined) observed.delete(ref);
    sweepAt = Math.max(64, observed.size * 2);
  }
  const ref = new WeakRef(breaker);
  observed.add(ref);
  return ref;
}

/** Takes its levels out again. */
export function unobserveBreaker(ref: WeakRef<BreakerLevels>): void {
  observed.delete(ref);
}

/** Attributes are made at the first collection, so that who collects nothing keeps nothing. */
const gaugeAttributes = new WeakMap<
  BreakerLevels,
  { readonly base: Attributes; readonly states: Readonly<Record<CircuitStateName, Attributes>> }
>();

scope.observe(observed, (refs, emit) => {
  for (const ref of refs) {
    const breaker = ref.deref();
    if (breaker !== undefined) emitLevels(breaker, emit);
  }
});

function emitLevels(breaker: BreakerLevels, emit: Emit): void {
  const { base, states } = attributesOf(breaker);
  const current = breaker.state;
  for (const state of CIRCUIT_STATES) {
    emit(METRIC_STATE, states[state], state === current ? 1 : 0);
  }
  const { failure, slow } = breaker.ratios();
  if (failure !== undefined) emit(METRIC_FAILURE_RATIO, base, failure);
  if (slow !== undefined) emit(METRIC_SLOW_CALL_RATIO, base, slow);
}

function attributesOf(breaker: BreakerLevels): {
  readonly base: Attributes;
  readonly states: Readonly<Record<CircuitStateName, Attributes>>;
} {
  let attributes = gaugeAttributes.get(breaker);
  if (attributes === undefined) {
    const base = { [ATTR_POLICY_NAME.name]: breaker.name };
    const of = (state: CircuitStateName): Attributes => ({ ...base, [ATTR_STATE.name]: state });
    attributes = {
      base,
      states: {
        closed: of('closed'),
        open: of('open'),
        'half-open': of('half-open'),
        isolated: of('isolated'),
      },
    };
    gaugeAttributes.set(breaker, attributes);
  }
  return attributes;
}

/** The span of one call, in the modes that make any. Nothing in here throws. */
export class CallTrace {
  readonly #policy: string;
  readonly #state: CircuitStateName;
  readonly #call: CallContext;
  readonly #parent: Context = context.active();
  /** Tells the time of spans that are dated back. The SDK's own time is finer, and used otherwise. */
  readonly #now: (() => number) | undefined;
  readonly #startedAt: number | undefined;
  #span: Span | undefined;

  constructor(
    policy: string,
    mode: SpanMode,
    state: CircuitStateName,
    call: CallContext,
    now: () => number,
  ) {
    this.#policy = policy;
    this.#state = state;
    this.#call = call;
    this.#now = mode === 'failures' ? now : undefined;
    this.#startedAt = this.#now?.();
    if (mode === 'all') scope.safely(() => this.#open());
  }

  run<T>(work: () => T): T {
    return this.#span === undefined ? work() : runInSpan(this.#span, work);
  }

  /** @param failure - the error, or the value that means failure; looked at when it is one */
  end(outcome: CallOutcome, failure: unknown): void {
    scope.safely(() => {
      const failed = outcome === 'failure' || outcome === 'rejected';
      if (failed && this.#span === undefined) this.#open();
      const span = this.#span;
      if (span === undefined) return;
      span.setAttribute(ATTR_OUTCOME, outcome);
      if (failed) fail(span, failure);
      span.end(this.#now?.());
    });
  }

  #open(): void {
    const attributes: Record<string, string | number | boolean> = {
      ...this.#call.attributes,
      [ATTR_POLICY_NAME.name]: this.#policy,
      [ATTR_STATE.name]: this.#state,
    };
    if (this.#call.operation !== undefined) attributes[ATTR_OPERATION.name] = this.#call.operation;
    const started = this.#startedAt;
    const options = started === undefined ? { attributes } : { attributes, startTime: started };
    this.#span = scope.tracer.startSpan(`breaker ${this.#policy}`, options, this.#parent);
  }
}

function fail(span: Span, failure: unknown): void {
  if (failure instanceof Error) {
    failSpan(span, failure);
    return;
  }
  span.setAttribute(ATTR_ERROR_TYPE.name, failureType(failure));
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'The result means failure.' });
}

/** `error.type` of a failure; a value that means failure has no name, but perhaps a status. */
function failureType(failure: unknown): string {
  if (failure instanceof Error) return errorType(failure);
  const status = statusOf(failure);
  return status === undefined ? '_OTHER' : String(status);
}

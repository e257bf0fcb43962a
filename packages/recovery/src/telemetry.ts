import type { Context, Span } from '@opentelemetry/api';
import type { Attributes } from '@temper/core';
import {
  ATTR_OPERATION,
  ATTR_POLICY_NAME,
  activeContext,
  type Call,
  type GuardedSpan,
  Instrumentation,
  type MetricDefinition,
  runInContext,
  safeText,
} from '@temper/core/policy';
import { VERSION } from './version.ts';

/**
 * The telemetry of one policy of this package. Each policy defines only its own metrics, so that a
 * bundle has no others; all of them belong to one instrumentation scope.
 */
export function instrumentation(metrics: readonly MetricDefinition[]): Instrumentation {
  return new Instrumentation({ name: '@temper/recovery', version: VERSION, metrics });
}

/** What {@link eventSpan} needs to know of a policy. */
export interface SpanOwner {
  readonly telemetry: Instrumentation;
  readonly policy: string;
  /** First word of the span's name; the policy's name follows. */
  readonly kind: string;
}

/**
 * Starts a span for a part of a call that deserves its own: a hedged attempt, an injection.
 *
 * @param startTime - wall-clock time in milliseconds
 */
export function eventSpan(
  { telemetry, policy, kind }: SpanOwner,
  call: Call,
  attributes: Attributes,
  startTime: number,
): GuardedSpan {
  const { operation } = call;
  const all: Record<string, string | number | boolean> = {
    ...call.attributes,
    ...attributes,
    [ATTR_POLICY_NAME.name]: policy,
  };
  if (operation !== undefined) all[ATTR_OPERATION.name] = safeText(operation, 128);
  return telemetry.span(`${kind} ${policy}`, all, undefined, startTime);
}

/** OpenTelemetry's own attribute: how often the same request was sent before, on resends only. */
const ATTR_RESEND_COUNT = 'http.request.resend_count';

const resends: Instrumentation = /* @__PURE__ */ instrumentation([]);

/**
 * A context that sets `http.request.resend_count` on the next client span. The library that creates
 * the span (OpenTelemetry's instrumentation of undici, for example) puts it into the active context to
 * propagate it in the request's headers, and this context sees it there. No hook has to be configured.
 */
class ResendContext implements Context {
  readonly #inner: Context;
  readonly #count: number;

  constructor(inner: Context, count: number) {
    this.#inner = inner;
    this.#count = count;
  }

  getValue(key: symbol): unknown {
    return this.#inner.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    const inner = this.#inner.setValue(key, value);
    if (!isClientSpan(value)) return new ResendContext(inner, this.#count);
    resends.scope.safely(() => void value.setAttribute(ATTR_RESEND_COUNT, this.#count));
    return inner;
  }

  deleteValue(key: symbol): Context {
    return new ResendContext(this.#inner.deleteValue(key), this.#count);
  }
}

/** `SpanKind.CLIENT` of the API, which is not loaded for it. */
const CLIENT = 2;

function isClientSpan(value: unknown): value is Span {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, setAttribute } = value as { kind?: unknown; setAttribute?: unknown };
  return kind === CLIENT && typeof setAttribute === 'function';
}

/**
 * Sends a request so that its client span says how often it was sent before.
 *
 * @param count - earlier attempts; 0 for the first
 */
export function resending<T>(count: number, send: () => T): T {
  if (count <= 0 || !resends.live.traces) return send();
  return runInContext(new ResendContext(activeContext(), count), send);
}

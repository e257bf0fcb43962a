import type { Context, Span, SpanContext } from '@opentelemetry/api';

// The few values of @opentelemetry/api that Temper needs. Loading the API costs more time than loading a policy
// does, and everything that is registered is found without it; see docs/adr/0026-import-time.md. The test holds
// them to the API itself.

/** Key of a value in contexts: as the API makes it, so that copies of a library agree. */
export function contextKey(name: string): symbol {
  return Symbol.for(name);
}

const SPAN_KEY: symbol = /* @__PURE__ */ contextKey('OpenTelemetry Context Key SPAN');

/** `SpanStatusCode.ERROR`. */
export const STATUS_ERROR = 2;

/** An immutable context. */
class Values implements Context {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown>) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return new Values(new Map(this.#values).set(key, value));
  }

  deleteValue(key: symbol): Context {
    const values = new Map(this.#values);
    values.delete(key);
    return new Values(values);
  }
}

/** The context without values. */
export const ROOT_CONTEXT: Context = /* @__PURE__ */ new Values(/* @__PURE__ */ new Map());

/** The span that is active in a context. */
export function spanOf(context: Context): Span | undefined {
  return context.getValue(SPAN_KEY) as Span | undefined;
}

/** `context` with this span as the active one. */
export function withSpan(context: Context, span: Span): Context {
  return context.setValue(SPAN_KEY, span);
}

/** `context` with a span as the active one that is recorded elsewhere, or was. */
export function withSpanContext(context: Context, spanContext: SpanContext): Context {
  return withSpan(context, new ForeignSpan(spanContext));
}

/** A span that nothing here records. */
class ForeignSpan implements Span {
  readonly #context: SpanContext;

  constructor(context: SpanContext) {
    this.#context = context;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  isRecording(): boolean {
    return false;
  }

  setAttribute(): this {
    return this;
  }

  setAttributes(): this {
    return this;
  }

  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus(): this {
    return this;
  }

  updateName(): this {
    return this;
  }

  end(): void {}

  recordException(): void {}
}

/** Whether a span has ids at all: those of a no-op span are zero. */
export function isValid({ traceId, spanId }: SpanContext): boolean {
  return isId(traceId, 32) && isId(spanId, 16);
}

function isId(text: string, length: number): boolean {
  return text.length === length && /^[\da-f]+$/i.test(text) && /[^0]/.test(text);
}

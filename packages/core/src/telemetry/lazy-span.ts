import type { Context, Span } from '@opentelemetry/api';
import { contextKey, spanOf } from './api-values.ts';
import { activeContext, runInContext } from './process-api.ts';

/**
 * A span that does not exist yet, and is created when something goes wrong within it. Work that runs
 * within it carries it in its context, so that a span inside it has it created first: a trace never
 * shows an inner policy without the policies around it.
 */
export interface LazySpan {
  /** The span that was active where the work began. */
  readonly around: Span | undefined;
  /**
   * Creates the span, dated back to the beginning of the work, and the spans around it. Work that
   * outlives its span gets the context of a span that has ended, or of those around it. Never throws.
   *
   * @returns the context in which the span is the active one
   */
  open(): Context;
}

/** Shared by all copies of core; the number is that of {@link LazySpan}. */
const KEY = /* @__PURE__ */ contextKey('temper.lazy-span.1');

/** A context with a lazy span. Setting a value in the API's own contexts copies all their values. */
class LazyContext implements Context {
  readonly #inner: Context;
  readonly #lazy: LazySpan;

  constructor(inner: Context, lazy: LazySpan) {
    this.#inner = inner;
    this.#lazy = lazy;
  }

  getValue(key: symbol): unknown {
    return key === KEY ? this.#lazy : this.#inner.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    const inner = this.#inner.setValue(key, value);
    return key === KEY ? inner : new LazyContext(inner, this.#lazy);
  }

  deleteValue(key: symbol): Context {
    const inner = this.#inner.deleteValue(key);
    return key === KEY ? inner : new LazyContext(inner, this.#lazy);
  }
}

/** Runs `work` within a lazy span, in `parent`. */
export function runWithin<T>(lazy: LazySpan, parent: Context, work: () => T): T {
  return runInContext(new LazyContext(parent, lazy), work);
}

/**
 * The parent of a span that is dated back: `context` with the lazy spans around it created. A span
 * that was started within them, such as the user's own, is the nearer parent and stays it.
 */
export function openedContext(context: Context = activeContext()): Context {
  const lazy = context.getValue(KEY) as LazySpan | undefined;
  return lazy === undefined || spanOf(context) !== lazy.around ? context : lazy.open();
}

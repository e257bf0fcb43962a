import { credentials, forgetToken } from './operator.ts';

/** A response of the service: its data, or its problem document. */
export type Answer<T> =
  | { readonly ok: true; readonly status: number; readonly data: T; readonly traceId: string }
  | {
      readonly ok: false;
      readonly status: number;
      readonly problem: Problem;
      readonly traceId: string;
    };

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly diagnostics?: readonly {
    readonly message: string;
    readonly start: { readonly line: number; readonly column: number };
  }[];
}

/** A request of this page, shown as the root span of its trace. */
interface BrowserSpan {
  readonly spanId: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

const KEPT_SPANS = 60;
/** Browser spans of the traces that this page started, by trace id. */
export const browserSpans: Map<string, BrowserSpan> = new Map();

function randomHex(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return [...values].map((value) => value.toString(16).padStart(2, '0')).join('');
}

interface CallOptions {
  readonly body?: unknown;
  readonly withToken?: boolean;
  /** Whether the trace is sampled; false for polling. @defaultValue true */
  readonly traced?: boolean;
}

/** Calls the API. Each request starts a trace (W3C Trace Context), whose id is returned. */
export async function call<T>(
  method: 'GET' | 'POST',
  path: string,
  { body, withToken = false, traced = true }: CallOptions = {},
): Promise<Answer<T>> {
  const traceId = randomHex(16);
  const spanId = randomHex(8);
  const startMs = performance.timeOrigin + performance.now();
  let status = 0;
  try {
    const response = await fetch(path, {
      method,
      headers: {
        traceparent: `00-${traceId}-${spanId}-${traced ? '01' : '00'}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(withToken ? credentials() : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    status = response.status;
    const data = (await response.json()) as T & Problem;
    if (response.ok) return { ok: true, status, data, traceId };
    if (status === 401) forgetToken();
    return { ok: false, status, problem: data, traceId };
  } catch {
    return { ok: false, status, problem: { detail: 'The service did not respond.' }, traceId };
  } finally {
    if (traced) {
      const durationMs = performance.timeOrigin + performance.now() - startMs;
      const failed = status === 0 || status >= 500;
      browserSpans.set(traceId, { spanId, name: `${method} ${path}`, startMs, durationMs, failed });
      const [oldest] = browserSpans.keys();
      if (browserSpans.size > KEPT_SPANS && oldest !== undefined) browserSpans.delete(oldest);
    }
  }
}

/** A one-sentence description of a problem. */
export function problemText({ detail, title }: Problem): string {
  return detail ?? title ?? 'The request failed.';
}

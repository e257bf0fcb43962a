/** An answer of the service, or the problem that it told of. */
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

/** A request of this page, as the first span of its trace. */
interface BrowserSpan {
  readonly spanId: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

const KEPT_SPANS = 60;
/** The page's own side of the traces that it began, by trace id. */
export const browserSpans: Map<string, BrowserSpan> = new Map();

let token: Promise<string> | undefined;

/** Told to the service's own page alone; asked for again when it was not to be had. */
async function bearer(): Promise<string> {
  token ??= fetch('/v1/session')
    .then(async (response) => ((await response.json()) as { token: string }).token)
    .catch((error: unknown) => {
      token = undefined;
      throw error;
    });
  return `Bearer ${await token}`;
}

/** Forgets the token; another process has another one. */
export function forgetToken(): void {
  token = undefined;
}

function randomHex(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return [...values].map((value) => value.toString(16).padStart(2, '0')).join('');
}

interface CallOptions {
  readonly body?: unknown;
  readonly withToken?: boolean;
  /** Whether the request is part of what is looked at; polls are not. @defaultValue true */
  readonly traced?: boolean;
}

/** Asks the service. Each request begins a trace (W3C trace context), whose id is given back. */
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
        ...(withToken ? { authorization: await bearer() } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    status = response.status;
    const data = (await response.json()) as T & Problem;
    if (response.ok) return { ok: true, status, data, traceId };
    if (status === 401) forgetToken();
    return { ok: false, status, problem: data, traceId };
  } catch {
    return { ok: false, status, problem: { detail: 'The service did not answer.' }, traceId };
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

/** A problem in one sentence. */
export function problemText({ detail, title }: Problem): string {
  return detail ?? title ?? 'Something failed.';
}

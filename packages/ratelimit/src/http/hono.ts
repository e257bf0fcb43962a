import { HttpGuard } from './guard.ts';
import type { HttpRateLimitOptions } from './options.ts';
import { PROBLEM_TYPE } from './problem.ts';

/** As much of a Hono context as is used. */
export interface HonoContextLike {
  readonly req: {
    readonly method: string;
    readonly path: string;
    header(name: string): string | undefined;
  };
  readonly env: unknown;
  header(name: string, value?: string, options?: { append?: boolean }): void;
}

/** What Hono calls. */
export type HonoMiddleware = (
  context: HonoContextLike,
  next: () => Promise<void>,
  // biome-ignore lint/suspicious/noConfusingVoidType: it is Hono's own type
) => Promise<Response | void>;

/** Options of {@link honoRateLimit}. */
export interface HonoRateLimitOptions extends HttpRateLimitOptions {
  /**
   * The other end of the connection. Hono itself does not know it.
   *
   * @defaultValue the socket that `@hono/node-server` hands on
   */
  readonly remoteAddress?: (context: HonoContextLike) => string | undefined;
}

/** What `@hono/node-server` puts into the environment. */
interface NodeBindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
  readonly outgoing?: {
    readonly closed?: boolean;
    once?(event: 'close', listener: () => void): unknown;
  };
}

/**
 * Makes a Hono middleware: tells the limits on every response, and answers in place of the handler
 * when one is exceeded.
 *
 * ```ts
 * app.use(honoRateLimit({
 *   limits: [{ name: 'per-client', keyed: keyed(() => tokenBucket({ limit: 100, burst: 20 })) }],
 * }));
 * ```
 *
 * Permits of a bulkhead are held until the response is closed where `@hono/node-server` serves it,
 * and until the handler has returned elsewhere.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function honoRateLimit(options: HonoRateLimitOptions): HonoMiddleware {
  const { remoteAddress = remoteOf, ...rest } = options;
  const guard = new HttpGuard('honoRateLimit', rest);
  return async (context, next) => {
    const { method, path } = context.req;
    const seen = guard.request(context, method, path, remoteAddress(context), (name) =>
      context.req.header(name),
    );
    const { refusal, fields, release } = await guard.ask(seen);
    if (refusal !== undefined) {
      const headers = new Headers({ ...fields, 'Content-Type': PROBLEM_TYPE });
      return new Response(JSON.stringify(refusal.problem), { status: refusal.status, headers });
    }
    const { outgoing } = (context.env ?? {}) as NodeBindings;
    const held = outgoing?.once !== undefined && outgoing.closed !== true;
    if (held) outgoing.once?.('close', release);
    try {
      await next();
      for (const [name, value] of Object.entries(fields)) {
        context.header(name, value, { append: true });
      }
    } finally {
      if (!held) release();
    }
    return undefined;
  };
}

function remoteOf({ env }: HonoContextLike): string | undefined {
  return ((env ?? {}) as NodeBindings).incoming?.socket?.remoteAddress;
}

import { checkType } from '@temper/core/policy';
import { isListField } from './announcement.ts';
import { HttpGuard } from './guard.ts';
import type { HttpRateLimitOptions } from './options.ts';
import { refusedResponse, remoteBy } from './web.ts';

/** The part of a Hono context that is used. */
export interface HonoContextLike {
  readonly req: {
    readonly method: string;
    readonly path: string;
    header(name: string): string | undefined;
  };
  readonly env: unknown;
  readonly res?: { readonly status: number };
  header(name: string, value?: string, options?: { append?: boolean }): void;
}

/** A Hono middleware. */
export type HonoMiddleware = (
  context: HonoContextLike,
  next: () => Promise<void>,
  // biome-ignore lint/suspicious/noConfusingVoidType: it is Hono's own type
) => Promise<Response | void>;

/** Options of {@link honoRateLimit}. */
export interface HonoRateLimitOptions extends HttpRateLimitOptions {
  /**
   * The address of the other end of the connection, which Hono itself does not know. An error and a
   * promise are logged; the address is then unknown.
   *
   * @defaultValue that of the socket which `@hono/node-server` passes on
   */
  readonly remoteAddress?: (context: HonoContextLike) => string | undefined;
}

/** What `@hono/node-server` puts into the environment. */
interface NodeBindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
  readonly outgoing?: {
    readonly closed?: boolean;
    readonly writableFinished?: boolean;
    readonly statusCode?: number;
    once?(event: 'close', listener: () => void): unknown;
  };
}

/**
 * Creates a Hono middleware: it announces the limits on every response, and responds in place of the
 * handler when one is exceeded.
 *
 * ```ts
 * app.use(honoRateLimit({
 *   limits: [{ name: 'per-client', limiter: perClient, key: 'address' }],
 * }));
 * ```
 *
 * Permits of a concurrency limit are held until the response is closed where `@hono/node-server` serves
 * it, and until the handler has returned elsewhere.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function honoRateLimit(options: HonoRateLimitOptions): HonoMiddleware {
  const { remoteAddress = remoteOf, ...rest } = options ?? {};
  const guard = new HttpGuard('honoRateLimit', rest);
  checkType('honoRateLimit', 'remoteAddress', remoteAddress, 'function');
  return async (context, next) => {
    const { method, path } = context.req;
    const remote = remoteBy('honoRateLimit', remoteAddress, context);
    const { refusal, fields, release } = await guard.ask({
      raw: context,
      method,
      url: path,
      remote,
      header: (name) => context.req.header(name),
    });
    if (refusal !== undefined) return refusedResponse(refusal, fields);
    const { outgoing } = (context.env ?? {}) as NodeBindings;
    const held = outgoing?.once !== undefined && outgoing.closed !== true;
    if (held) {
      outgoing.once?.('close', () => {
        // To read it of `context.res` would create the response, which may be one that cannot be created.
        const { statusCode: status, writableFinished } = outgoing;
        release({ status, served: writableFinished !== false });
      });
    }
    let returned = false;
    try {
      await next();
      returned = true;
      for (const [name, value] of Object.entries(fields)) {
        context.header(name, value, { append: isListField(name) });
      }
    } finally {
      if (!held) release({ status: context.res?.status, served: returned });
    }
    return undefined;
  };
}

function remoteOf({ env }: HonoContextLike): string | undefined {
  return ((env ?? {}) as NodeBindings).incoming?.socket?.remoteAddress;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpGuard } from './guard.ts';
import type { HttpRateLimitOptions } from './options.ts';
import { PROBLEM_TYPE } from './problem.ts';

/** As much of a Fastify request as is looked at. */
export interface FastifyRequestLike {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** As much of a Fastify reply as is used. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  code(status: number): FastifyReplyLike;
  header(name: string, value: string): FastifyReplyLike;
  getHeader(name: string): number | string | string[] | undefined;
  send(payload: unknown): FastifyReplyLike;
}

/** As much of a Fastify instance as is used. */
export interface FastifyLike {
  addHook(
    name: 'onRequest',
    hook: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>,
  ): unknown;
}

/**
 * A Fastify plugin: tells the limits on every response of the instance it is registered on, and
 * answers in place of the handler when one is exceeded.
 *
 * ```ts
 * await app.register(fastifyRateLimit, {
 *   limits: [{ name: 'per-client', keyed: keyed(() => tokenBucket({ limit: 100, burst: 20 })) }],
 * });
 * ```
 *
 * The address is that of the connection and of `trustedProxies`; Fastify's own `trustProxy` is not asked.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function fastifyRateLimit(
  fastify: FastifyLike,
  options: HttpRateLimitOptions,
  done: (error?: Error) => void,
): void {
  const guard = new HttpGuard('fastifyRateLimit', withoutPluginOptions(options));
  fastify.addHook('onRequest', async (request, reply) => {
    const { method, url, headers, socket } = request;
    const seen = guard.request(request, method, url, socket.remoteAddress, (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    });
    const { refusal, fields, release } = await guard.ask(seen);
    for (const [name, value] of Object.entries(fields)) {
      const before = name === 'Retry-After' ? undefined : reply.getHeader(name);
      reply.header(name, before === undefined ? value : `${before}, ${value}`);
    }
    if (refusal !== undefined) {
      reply.header('content-type', PROBLEM_TYPE);
      // As bytes: to text Fastify would add a charset, which JSON has none of.
      return reply.code(refusal.status).send(Buffer.from(JSON.stringify(refusal.problem)));
    }
    if (reply.raw.closed || reply.raw.destroyed) release();
    else reply.raw.once('close', release);
    return undefined;
  });
  done();
}

// What `fastify-plugin` does: the hook holds for the instance, not for a child of it.
Object.assign(fastifyRateLimit, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@temper/ratelimit',
  [Symbol.for('plugin-meta')]: { name: '@temper/ratelimit', fastify: '5.x' },
});

/** Fastify hands on its own options with the plugin's. */
function withoutPluginOptions(options: HttpRateLimitOptions): HttpRateLimitOptions {
  const { prefix, logLevel, logSerializers, ...own } = options as HttpRateLimitOptions &
    Record<string, unknown>;
  return own;
}

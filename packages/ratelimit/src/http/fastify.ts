import type { IncomingMessage, ServerResponse } from 'node:http';
import { isListField } from './announcement.ts';
import { releaseAtEnd } from './connect.ts';
import { HttpGuard } from './guard.ts';
import { nodeRequest } from './node-request.ts';
import type { HttpRateLimitOptions } from './options.ts';

/** The part of a Fastify request that is read. */
export interface FastifyRequestLike {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly ip?: string | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The part of a Fastify reply that is used. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  code(status: number): FastifyReplyLike;
  header(name: string, value: string): FastifyReplyLike;
  getHeader(name: string): number | string | string[] | undefined;
  send(payload: unknown): FastifyReplyLike;
}

/** The part of a Fastify instance that is used. */
export interface FastifyLike {
  addHook(
    name: 'onRequest',
    hook: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>,
  ): unknown;
}

/**
 * A Fastify plugin: announces the limits on every response of the instance that it is registered on,
 * and responds in place of the handler when one is exceeded.
 *
 * ```ts
 * await app.register(fastifyRateLimit, {
 *   limits: [{ name: 'per-client', limiter: perClient, key: 'address' }],
 * });
 * ```
 *
 * Without `trustedProxies` the address of a client is Fastify's own `request.ip`, by its `trustProxy`.
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
    const { refusal, fields, release } = await guard.ask(nodeRequest(request));
    for (const [name, value] of Object.entries(fields)) {
      const before = isListField(name) ? reply.getHeader(name) : undefined;
      reply.header(name, before === undefined ? value : `${before}, ${value}`);
    }
    if (refusal !== undefined) {
      for (const [name, value] of Object.entries(refusal.headers)) reply.header(name, value);
      // As bytes: to text Fastify adds a charset parameter, which JSON does not have.
      return reply.code(refusal.status).send(Buffer.from(refusal.body));
    }
    releaseAtEnd(reply.raw, release);
    return undefined;
  });
  done();
}

// As by `fastify-plugin`: the hook is added to the instance itself and not to a child of it.
Object.assign(fastifyRateLimit, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@temper/ratelimit',
  [Symbol.for('plugin-meta')]: { name: '@temper/ratelimit', fastify: '5.x' },
});

/** Fastify passes its own options on with the plugin's. */
function withoutPluginOptions(options: HttpRateLimitOptions): HttpRateLimitOptions {
  const { prefix, logLevel, logSerializers, ...own } = (options ?? {}) as HttpRateLimitOptions &
    Record<string, unknown>;
  return own;
}

import type { ServerResponse } from 'node:http';
import { checkType } from '@temper/core/policy';
import { releaseAtEnd, setFields } from './connect.ts';
import { HttpGuard } from './guard.ts';
import { type NodeRequestLike, nodeRequest } from './node-request.ts';
import type { HttpRateLimitOptions } from './options.ts';

/** The part of Nest's `ExecutionContext` that is used. */
export interface NestContextLike {
  getType(): string;
  switchToHttp(): { getRequest(): unknown; getResponse(): unknown };
}

/** A guard of Nest (`CanActivate`). */
export interface NestGuard {
  canActivate(context: NestContextLike): Promise<boolean>;
}

/** Options of {@link nestRateLimitGuard}. */
export interface NestRateLimitOptions extends HttpRateLimitOptions {
  /**
   * Creates what is thrown for a refused request, so that Nest's exception filters answer:
   * `(body, status) => new HttpException(body, status)`. The fields of the limits are set by then.
   *
   * @param body - the problem detail, or the body that `respond` asked for
   */
  readonly exception: (body: object | string, status: number) => unknown;
}

const OWNER = 'nestRateLimitGuard';

/** The response of Express, or the reply of Fastify. */
type NestResponse = ServerResponse | { readonly raw: ServerResponse };

/**
 * Creates a guard for Nest, on Express or Fastify: for all routes (`app.useGlobalGuards`), a controller or
 * a handler (`@UseGuards`). Requests that are not HTTP pass. Without `trustedProxies` the address of a
 * client is the platform's own `request.ip`.
 *
 * ```ts
 * app.useGlobalGuards(nestRateLimitGuard({
 *   limits: [{ name: 'per-client', limiter: perClient, key: 'address' }],
 *   exception: (body, status) => new HttpException(body, status),
 * }));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function nestRateLimitGuard(options: NestRateLimitOptions): NestGuard {
  const { exception, ...rest } = options ?? ({} as NestRateLimitOptions);
  const guard = new HttpGuard(OWNER, rest);
  checkType(OWNER, 'exception', exception, 'function');
  return {
    async canActivate(context) {
      if (context.getType() !== 'http') return true;
      const request = context.switchToHttp().getRequest() as NodeRequestLike & {
        readonly originalUrl?: string;
      };
      const response = rawOf(context.switchToHttp().getResponse() as NestResponse);
      const asked = nodeRequest(request);
      const { refusal, fields, release } = await guard.ask({
        ...asked,
        url: request.originalUrl ?? asked.url,
      });
      setFields(response, fields);
      if (refusal === undefined) {
        releaseAtEnd(response, release);
        return true;
      }
      const { 'content-type': type, ...headers } = refusal.headers;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      throw exception(
        /json/.test(type ?? '') ? JSON.parse(refusal.body) : refusal.body,
        refusal.status,
      );
    },
  };
}

const rawOf = (response: NestResponse): ServerResponse =>
  'raw' in response ? response.raw : response;

import { keyed, tokenBucket } from '@temper/ratelimit';
import { HttpGuard } from '@temper/ratelimit/http';
import { type RateLimitStore, sharedRateLimit } from '@temper/ratelimit/shared';
import type { FastifyRequest } from 'fastify';
import { CLIENT_LIMIT } from '../service/settings.ts';
import { Problem } from './problem.ts';

/** Maximum number of clients with a bucket. The least recently used one is evicted. */
const MAX_CLIENTS = 10_000;
const NAME = 'http_client';

interface ClientLimitOptions {
  /** Returns the client of a request. */
  readonly clientOf: (request: FastifyRequest) => string;
  /** Requests per minute; the burst scales with it. @defaultValue 1200 */
  readonly limit?: number | undefined;
  /** Shares the limit with the other instances. @defaultValue none */
  readonly store?: RateLimitStore | undefined;
  /** Called for each refused request, with its client. */
  readonly onRefusal: (limiter: string, client: string) => void;
}

/** Rate limit with one token bucket per client. */
export class ClientLimit implements Disposable {
  readonly #limiter: Disposable;
  readonly #guard: HttpGuard;
  readonly #options: ClientLimitOptions;

  constructor(options: ClientLimitOptions) {
    const { clientOf, limit = CLIENT_LIMIT.limit, store } = options;
    const { windowMs } = CLIENT_LIMIT;
    const burst = Math.max(1, Math.round((CLIENT_LIMIT.burst / CLIENT_LIMIT.limit) * limit));
    // #region client limit
    const rule = { name: NAME, limit, windowMs, burst };
    const limiter =
      store === undefined
        ? keyed({ template: tokenBucket(rule), maxKeys: MAX_CLIENTS })
        : sharedRateLimit({ ...rule, store, maxLocalKeys: MAX_CLIENTS, minNodes: 1 });
    this.#options = options;
    this.#limiter = limiter;
    const key = ({ raw }: { readonly raw: unknown }): string => clientOf(raw as FastifyRequest);
    this.#guard = new HttpGuard('client limit', { limits: [{ name: 'client', limiter, key }] });
    // #endregion
  }

  /**
   * Counts one request.
   *
   * @returns the `RateLimit` fields for the response
   * @throws {Problem} 429 with the same fields and `Retry-After`
   */
  async admit(request: FastifyRequest): Promise<Readonly<Record<string, string>>> {
    const { method, url, ip, headers } = request;
    const header = (name: string): string | undefined => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    };
    const { refusal, fields } = await this.#guard.ask({
      raw: request,
      method,
      url,
      remote: ip,
      header,
    });
    if (refusal === undefined) return fields;
    this.#options.onRefusal(NAME, this.#options.clientOf(request));
    const seconds = Number(fields['Retry-After'] ?? 1);
    throw new Problem(
      'rate-limited',
      `This client exceeded its rate limit. Retry in ${seconds} s.`,
      {
        extensions: {
          limiter: NAME,
          retryAfterMs: seconds * 1_000,
          'violated-policies': ['client'],
        },
        headers: fields,
      },
    );
  }

  [Symbol.dispose](): void {
    this.#limiter[Symbol.dispose]();
  }
}

import { type KeyedLimiter, keyed, tokenBucket } from '@temper/ratelimit';
import { HttpGuard } from '@temper/ratelimit/http';
import type { FastifyRequest } from 'fastify';
import { CLIENT_LIMIT } from '../service/settings.ts';
import { Problem } from './problem.ts';

/** Maximum number of clients with a bucket. The least recently used one is evicted. */
const MAX_CLIENTS = 10_000;

/** Rate limit with one token bucket per client. */
export class ClientLimit implements Disposable {
  readonly #limiter: KeyedLimiter;
  readonly #guard: HttpGuard;

  /**
   * @param clientOf - returns the client of a request
   * @param limit - requests per minute; the burst scales with it
   */
  constructor(clientOf: (request: FastifyRequest) => string, limit: number = CLIENT_LIMIT.limit) {
    const { windowMs } = CLIENT_LIMIT;
    const burst = Math.max(1, Math.round((CLIENT_LIMIT.burst / CLIENT_LIMIT.limit) * limit));
    const template = tokenBucket({ name: 'http_client', limit, windowMs, burst });
    this.#limiter = keyed({ template, maxKeys: MAX_CLIENTS });
    const key = ({ raw }: { readonly raw: unknown }): string => clientOf(raw as FastifyRequest);
    this.#guard = new HttpGuard('client limit', {
      limits: [{ name: 'client', limiter: this.#limiter, key }],
    });
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
    const { refusal, fields } = await this.#guard.ask(
      this.#guard.request(request, method, url, ip, header),
    );
    if (refusal === undefined) return fields;
    const seconds = Number(fields['Retry-After'] ?? 1);
    throw new Problem(
      'rate-limited',
      `This client exceeded its rate limit. Retry in ${seconds} s.`,
      {
        extensions: {
          limiter: this.#limiter.name,
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

import {
  type KeyedLimiter,
  keyed,
  type Quota,
  type RateLimiter,
  tokenBucket,
} from '@temper/ratelimit';
import { Problem } from './problem.ts';

/** Requests of one client per minute, and at once. */
export const CLIENT_LIMIT = { limit: 1_200, windowMs: 60_000, burst: 80 } as const;
/** Clients that are remembered; the one that was away for longest is forgotten. */
const MAX_CLIENTS = 10_000;

export type ClientLimiter = KeyedLimiter<RateLimiter>;

/** One bucket per client: whoever asks too much is told so, and nobody else notices. */
export function clientLimiter(limit: number = CLIENT_LIMIT.limit): ClientLimiter {
  const { windowMs } = CLIENT_LIMIT;
  const burst = Math.max(1, Math.round((CLIENT_LIMIT.burst / CLIENT_LIMIT.limit) * limit));
  return keyed(() => tokenBucket({ name: 'http_client', limit, windowMs, burst }), {
    maxKeys: MAX_CLIENTS,
  });
}

/**
 * Counts one request of a client.
 *
 * @returns fields that tell how much is left (draft-ietf-httpapi-ratelimit-headers)
 * @throws {Problem} 429 with the same fields and `Retry-After`
 */
export function admit(limiter: ClientLimiter, client: string): Readonly<Record<string, string>> {
  const verdict = limiter.check(client);
  const fields = rateLimitFields(verdict);
  if (verdict.allowed) return fields;
  const retryAfterMs = verdict.retryAfterMs ?? 1_000;
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  throw new Problem('rate-limited', `This client asks too much; try again in ${seconds} s.`, {
    extensions: { limiter: limiter.name, retryAfterMs: Math.ceil(retryAfterMs) },
    headers: { ...fields, 'retry-after': String(seconds) },
  });
}

function rateLimitFields(quota: Quota): Readonly<Record<string, string>> {
  const { limit, windowMs = CLIENT_LIMIT.windowMs, remaining, resetMs } = quota;
  const reset = Math.ceil((resetMs ?? 0) / 1_000);
  return {
    'ratelimit-policy': `"client";q=${limit};w=${windowMs / 1_000}`,
    ratelimit: `"client";r=${Math.floor(remaining)};t=${reset}`,
  };
}

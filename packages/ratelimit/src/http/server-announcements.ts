import { parseRetryAfter } from '@temper/core/policy';
import { encodeBase64 } from './base64.ts';
import { parseRateLimit, parseRateLimitPolicy, type QuotaPolicy } from './fields.ts';
import { olderLimit } from './older-announcements.ts';
import { fieldOf, isFromCache, type ResponseLike } from './response-fields.ts';
import type { AnnouncedLimit } from './server-limits.ts';

/** How long a limit without a reset is assumed to last. */
const DEFAULT_RESET_MS = 1000;
/** Key of the limit that `Retry-After` sets; no name from a field can be equal to it. */
const RETRY_AFTER = '\n';
/** Key of the limit that the fields of older drafts announce. */
const OLDER = '\n\n';
/** Most policies that are kept. */
const MAX_POLICIES = 64;

/**
 * Reads the limits that a server announces in `RateLimit-Policy`, `RateLimit` and `Retry-After`, or in the
 * fields of older drafts and `X-RateLimit-*`.
 */
export class ServerAnnouncements {
  readonly #policies = new Map<string, QuotaPolicy>();
  /** In base64; `undefined` for all. */
  readonly #partition: string | undefined;
  readonly #maxBlockMs: number;

  constructor(partitionKey: Uint8Array | string | undefined, maxBlockMs: number) {
    this.#partition = partitionKey === undefined ? undefined : encodeBase64(partitionKey);
    this.#maxBlockMs = maxBlockMs;
  }

  /** The announced quota of requests that is the smallest; `undefined` when none is known. */
  get smallestQuota(): QuotaPolicy | undefined {
    let smallest: QuotaPolicy | undefined;
    for (const policy of this.#policies.values()) {
      if (!countsRequests(policy)) continue;
      if (smallest === undefined || policy.quota < smallest.quota) smallest = policy;
    }
    return smallest;
  }

  /** @param now - wall-clock time, in milliseconds since the epoch */
  read(response: ResponseLike, now: number): AnnouncedLimit[] {
    if (isFromCache(response)) return [];
    const limits: AnnouncedLimit[] = [];
    const retryAfterMs = retryAfterOf(response, now);
    if (retryAfterMs !== undefined) limits.push(this.#limit(RETRY_AFTER, 0, retryAfterMs));
    this.#readPolicies(fieldOf(response, 'ratelimit-policy') ?? '');
    const named = parseRateLimit(fieldOf(response, 'ratelimit') ?? '');
    const older = named === undefined ? olderLimit(response, now) : undefined;
    if (older !== undefined) {
      const { remaining, resetMs = DEFAULT_RESET_MS } = older;
      limits.push(
        this.#limit(OLDER, remaining, remaining === 0 ? (retryAfterMs ?? resetMs) : resetMs),
      );
    }
    for (const limit of named ?? []) {
      const { name, remaining, partitionKey } = limit;
      const partition = partitionKey === undefined ? '' : encodeBase64(partitionKey);
      if (this.#partition !== undefined && partition !== this.#partition) continue;
      const policy = this.#policies.get(name);
      // Quotas of bytes or of concurrent requests do not say when the next call may go.
      if (policy !== undefined && !countsRequests(policy)) continue;
      const seconds = limit.resetSeconds ?? policy?.windowSeconds;
      const resetMs = seconds === undefined ? DEFAULT_RESET_MS : seconds * 1000;
      // Retry-After takes precedence over the reset.
      const until = remaining === 0 ? (retryAfterMs ?? resetMs) : resetMs;
      limits.push(this.#limit(`${name}\n${partition}`, remaining, until));
    }
    return limits;
  }

  #readPolicies(field: string): void {
    for (const policy of parseRateLimitPolicy(field) ?? []) {
      this.#policies.delete(policy.name);
      this.#policies.set(policy.name, policy);
    }
    for (const name of this.#policies.keys()) {
      if (this.#policies.size <= MAX_POLICIES) break;
      this.#policies.delete(name);
    }
  }

  #limit(key: string, remaining: number, resetMs: number): AnnouncedLimit {
    return { key, remaining, resetMs: Math.min(resetMs, this.#maxBlockMs) };
  }
}

/** `Retry-After` of a refusal, in milliseconds; on a redirect it means something else. */
function retryAfterOf(response: ResponseLike, now: number): number | undefined {
  const { status } = response;
  if (status !== undefined && status < 400) return undefined;
  const field = fieldOf(response, 'retry-after');
  return field === undefined ? undefined : parseRetryAfter(field, now);
}

function countsRequests({ unit = 'requests' }: QuotaPolicy): boolean {
  return unit === 'requests';
}

import type { Decision } from '../limiter.ts';
import {
  formatRateLimit,
  formatRateLimitPolicy,
  type QuotaPolicy,
  type ServiceLimit,
} from './fields.ts';
import type { AnnouncedFields } from './options.ts';
import { serializeCount } from './structured-fields.ts';

/** Header fields of a response, by their names. */
export type ResponseFields = Readonly<Record<string, string>>;

/** The limit of a request of which the smallest part is left. */
export interface RequestLimit {
  /** Name of the limit. */
  readonly name: string;
  /** Whose limit it is; `undefined` for one of all requests. */
  readonly key: string | undefined;
  /** Units per window, or permits. */
  readonly limit: number;
  readonly used: number;
  /** Whole units that are left. */
  readonly remaining: number;
  /** When there will be more; `undefined` when that is unknown, or nothing is used. */
  readonly resetTime: Date | undefined;
}

interface Announced {
  readonly name: string;
  readonly key: string | undefined;
  readonly state: Decision;
  readonly partitionKey: Uint8Array | undefined;
}

/** The limits that a response announces. */
export class Announcement {
  readonly #all: Announced[] = [];

  add(name: string, key: string | undefined, state: Decision, partitionKey?: Uint8Array): void {
    this.#all.push({ name, key, state, partitionKey });
  }

  /** @param now - wall-clock time, in milliseconds since 1970 */
  tightest(now: number): RequestLimit | undefined {
    const tightest = this.#tightest;
    if (tightest === undefined) return undefined;
    const { name, key, state } = tightest;
    const { limit, remaining, resetMs } = state;
    const resetTime = resetMs === undefined || resetMs === 0 ? undefined : new Date(now + resetMs);
    return { name, key, limit, used: Math.max(0, limit - remaining), remaining, resetTime };
  }

  /** @param now - as of {@link tightest} */
  fields(kind: AnnouncedFields, legacy: boolean, now: number): ResponseFields {
    const tightest = this.#tightest;
    if (tightest === undefined) return {};
    return {
      ...(legacy ? legacyFields(tightest.state, now) : {}),
      ...(kind === 'current' ? this.#current : {}),
      ...(kind === 'draft-7' || kind === 'draft-6' ? older(kind, tightest.state) : {}),
    };
  }

  get #current(): ResponseFields {
    const policies = this.#all.map(({ name, state, partitionKey }) =>
      policyOf(name, state, partitionKey),
    );
    const limits: ServiceLimit[] = this.#all.map(({ name, state, partitionKey }) => ({
      name,
      remaining: state.remaining,
      resetSeconds: resetSeconds(state),
      partitionKey,
    }));
    return {
      'RateLimit-Policy': formatRateLimitPolicy(policies),
      RateLimit: formatRateLimit(limits),
    };
  }

  get #tightest(): Announced | undefined {
    let tightest: Announced | undefined;
    for (const each of this.#all) {
      if (tightest === undefined || shareLeft(each.state) < shareLeft(tightest.state)) {
        tightest = each;
      }
    }
    return tightest;
  }
}

/** A limit that refuses is the tightest, whatever is left of it for cheaper requests. */
const shareLeft = ({ allowed, remaining, limit }: Decision): number =>
  allowed ? remaining / limit : -1;

function policyOf(
  name: string,
  state: Decision,
  partitionKey: Uint8Array | undefined,
): QuotaPolicy {
  if (state.windowMs === undefined) {
    return { name, quota: state.limit, unit: 'concurrent-requests', partitionKey };
  }
  return { name, ...quotaOf(state.limit, state.windowMs), partitionKey };
}

/** The window is announced in whole seconds; the quota is that of the announced window. */
function quotaOf(limit: number, windowMs: number): { quota: number; windowSeconds: number } {
  const windowSeconds = Math.max(1, Math.round(windowMs / 1000));
  return { quota: (limit * windowSeconds * 1000) / windowMs, windowSeconds };
}

/**
 * The fields of older drafts, as clients know them. They have no name for a limit, and always a reset.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-06 and -07, section 3.
 */
function older(kind: 'draft-6' | 'draft-7', state: Decision): ResponseFields {
  const { quota, windowSeconds } =
    state.windowMs === undefined
      ? { quota: state.limit, windowSeconds: undefined }
      : quotaOf(state.limit, state.windowMs);
  const limit = serializeCount(quota);
  const remaining = serializeCount(state.remaining);
  const reset = serializeCount(resetSeconds(state) ?? 0);
  const policy = windowSeconds === undefined ? limit : `${limit};w=${windowSeconds}`;
  if (kind === 'draft-7') {
    return {
      'RateLimit-Policy': policy,
      RateLimit: `limit=${limit}, remaining=${remaining}, reset=${reset}`,
    };
  }
  return {
    'RateLimit-Policy': policy,
    'RateLimit-Limit': limit,
    'RateLimit-Remaining': remaining,
    'RateLimit-Reset': reset,
  };
}

/** As GitHub, express-rate-limit and others send them: never standardised. */
function legacyFields(state: Decision, now: number): ResponseFields {
  return {
    'X-RateLimit-Limit': serializeCount(state.limit),
    'X-RateLimit-Remaining': serializeCount(state.remaining),
    'X-RateLimit-Reset': serializeCount(Math.ceil((now + (state.resetMs ?? 0)) / 1000)),
  };
}

/** Whether values of several middlewares stand side by side in the field; otherwise the last one holds. */
export function isListField(name: string): boolean {
  return name === 'RateLimit-Policy' || name === 'RateLimit';
}

/** Whole seconds until there is more; `undefined` when nothing is used, or it is unknown. */
export function resetSeconds({ resetMs }: Decision): number | undefined {
  return resetMs === undefined || resetMs === 0 ? undefined : Math.ceil(resetMs / 1000);
}

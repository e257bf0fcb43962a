import { fieldOf, type ResponseLike } from './response-fields.ts';

/** A limit as the fields before draft 8 announce it: it has no name. */
export interface OlderLimit {
  readonly remaining: number;
  /** Until there is more; `undefined` when the server does not say. */
  readonly resetMs: number | undefined;
}

/** Seconds since 1970 from here on (in 2001), seconds from now below. */
const EPOCH_SECONDS = 1e9;
/** Milliseconds since 1970 from here on. */
const EPOCH_MS = 1e12;

/** Before any draft; the second spelling is Twitter's. */
const LEGACY_PREFIXES: readonly string[] = ['x-ratelimit', 'x-rate-limit'];

/**
 * Reads a limit from `RateLimit` of draft 7, from `RateLimit-Remaining` and `RateLimit-Reset` of draft 6, or from
 * `X-RateLimit-Remaining` and `X-RateLimit-Reset`; the first of them that is there.
 *
 * @param now - wall-clock time, in milliseconds since 1970
 * @returns `undefined` when none of them says how much is left
 */
export function olderLimit(response: ResponseLike, now: number): OlderLimit | undefined {
  return draft7(response) ?? draft6(response) ?? legacy(response, now);
}

/** Source: draft-ietf-httpapi-ratelimit-headers-07, section 3. */
function draft7(response: ResponseLike): OlderLimit | undefined {
  const members = new Map<string, number | undefined>();
  for (const member of (fieldOf(response, 'ratelimit') ?? '').split(',')) {
    const [name = '', value] = member.trim().split('=', 2);
    members.set(name, count(value));
  }
  return limitOf(members.get('remaining'), members.get('reset'));
}

/** Source: draft-ietf-httpapi-ratelimit-headers-06, section 3. */
function draft6(response: ResponseLike): OlderLimit | undefined {
  const remaining = count(fieldOf(response, 'ratelimit-remaining'));
  return limitOf(remaining, count(fieldOf(response, 'ratelimit-reset')));
}

function legacy(response: ResponseLike, now: number): OlderLimit | undefined {
  for (const prefix of LEGACY_PREFIXES) {
    const remaining = count(fieldOf(response, `${prefix}-remaining`));
    const after = count(fieldOf(response, `${prefix}-reset-after`));
    const reset = count(fieldOf(response, `${prefix}-reset`));
    const seconds = after ?? (reset === undefined ? undefined : fromNow(reset, response, now));
    const limit = limitOf(remaining, seconds);
    if (limit !== undefined) return limit;
  }
  return undefined;
}

/** @returns seconds from now. Some servers send those, some a time by their own clock */
function fromNow(reset: number, response: ResponseLike, now: number): number {
  if (reset < EPOCH_SECONDS) return reset;
  const at = reset < EPOCH_MS ? reset * 1000 : reset;
  const sent = Date.parse(fieldOf(response, 'date') ?? '');
  return Math.max(0, at - (Number.isNaN(sent) ? now : sent)) / 1000;
}

function limitOf(
  remaining: number | undefined,
  resetSeconds: number | undefined,
): OlderLimit | undefined {
  if (remaining === undefined) return undefined;
  const resetMs = resetSeconds === undefined ? undefined : resetSeconds * 1000;
  return { remaining: Math.floor(remaining), resetMs };
}

/** @returns `undefined` unless it is a number, whole or decimal, that is not negative */
function count(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d{1,15}(?:\.\d{1,6})?$/.test(trimmed) ? Number(trimmed) : undefined;
}

import { safeText } from '@temper/core/policy';
import {
  type BareItem,
  type Item,
  parseList,
  serializeBytes,
  serializeCount,
  serializeString,
} from './structured-fields.ts';

/** Most items of a field that are read. */
const MAX_ITEMS = 32;
/** Longest name of a limit that is kept, in UTF-16 code units. */
const MAX_NAME_LENGTH = 64;

/** What a quota counts, as the field says. */
type QuotaUnit = 'requests' | 'content-bytes' | 'concurrent-requests' | (string & {});

/** One item of the `RateLimit-Policy` field. */
export interface QuotaPolicy {
  readonly name: string;
  /** `q` */
  readonly quota: number;
  /** `qu` @defaultValue 'requests' */
  readonly unit?: QuotaUnit | undefined;
  /** `w` */
  readonly windowSeconds?: number | undefined;
  /** `pk` */
  readonly partitionKey?: Uint8Array | undefined;
}

/** One item of the `RateLimit` field. */
export interface ServiceLimit {
  readonly name: string;
  /** `r` */
  readonly remaining: number;
  /** `t` */
  readonly resetSeconds?: number | undefined;
  /** `pk` */
  readonly partitionKey?: Uint8Array | undefined;
}

/**
 * Formats the value of a `RateLimit-Policy` field.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-10, section 3 (11 has the same syntax).
 *
 * @throws {TypeError} when a name is not printable ASCII
 */
export function formatRateLimitPolicy(policies: readonly QuotaPolicy[]): string {
  return policies
    .map(({ name, quota, unit, windowSeconds, partitionKey }) => {
      let item = `${serializeString(name)};q=${serializeCount(quota)}`;
      if (unit !== undefined && unit !== 'requests') item += `;qu=${serializeString(unit)}`;
      if (windowSeconds !== undefined) item += `;w=${serializeCount(Math.max(1, windowSeconds))}`;
      return item + key(partitionKey);
    })
    .join(', ');
}

/**
 * Formats the value of a `RateLimit` field.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-10, section 4 (11 has the same syntax).
 *
 * @throws {TypeError} when a name is not printable ASCII
 */
export function formatRateLimit(limits: readonly ServiceLimit[]): string {
  return limits
    .map(({ name, remaining, resetSeconds, partitionKey }) => {
      let item = `${serializeString(name)};r=${serializeCount(remaining)}`;
      if (resetSeconds !== undefined) item += `;t=${serializeCount(Math.ceil(resetSeconds))}`;
      return item + key(partitionKey);
    })
    .join(', ');
}

const key = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? '' : `;pk=${serializeBytes(bytes)}`;

/**
 * Parses a `RateLimit-Policy` field. At most 32 items are returned, with names of at most 64 code units,
 * scrubbed.
 *
 * @returns `undefined` when the field is malformed, and must be ignored
 */
export function parseRateLimitPolicy(value: string): QuotaPolicy[] | undefined {
  return itemsOf(value, (item, name) => {
    const quota = integer(item.parameters.get('q'));
    const windowSeconds = integer(item.parameters.get('w'));
    const unit = item.parameters.get('qu');
    if (quota === undefined || windowSeconds === 0 || broken(item, 'w', windowSeconds))
      return undefined;
    if (unit !== undefined && unit.type !== 'string') return undefined;
    return { name, quota, unit: unit?.value, windowSeconds };
  });
}

/** Parses a `RateLimit` field, likewise. */
export function parseRateLimit(value: string): ServiceLimit[] | undefined {
  return itemsOf(value, (item, name) => {
    const remaining = integer(item.parameters.get('r'));
    const resetSeconds = integer(item.parameters.get('t'));
    if (remaining === undefined || broken(item, 't', resetSeconds)) return undefined;
    return { name, remaining, resetSeconds };
  });
}

function itemsOf<T extends object>(
  value: string,
  read: (item: Item, name: string) => T | undefined,
): (T & { partitionKey: Uint8Array | undefined })[] | undefined {
  const items = parseList(value);
  if (items === undefined || items.length === 0) return undefined;
  const all = [];
  for (const item of items.slice(0, MAX_ITEMS)) {
    const partition = item.parameters.get('pk');
    if (item.bare.type !== 'string') return undefined;
    if (partition !== undefined && partition.type !== 'bytes') return undefined;
    const one = read(item, safeText(item.bare.value, MAX_NAME_LENGTH));
    if (one === undefined) return undefined;
    all.push({ ...one, partitionKey: partition?.value });
  }
  return all;
}

function integer(item: BareItem | undefined): number | undefined {
  return item?.type === 'integer' && item.value >= 0 ? item.value : undefined;
}

/** Whether a parameter is present and invalid. */
function broken(item: Item, name: string, value: number | undefined): boolean {
  return item.parameters.has(name) && value === undefined;
}

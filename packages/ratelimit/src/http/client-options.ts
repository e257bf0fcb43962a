import type { Outcome, ShouldHandle } from '@temper/core';
import {
  type Defaults,
  numberRule,
  type Resolved,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';
import {
  QUEUE_DEFAULTS,
  QUEUE_RULES,
  type QueueOptions,
  type QueueUnset,
} from '../wait/options.ts';
import type { ResponseLike } from './response-fields.ts';

/** Options of {@link clientRateLimit}. */
export interface ClientRateLimitOptions extends QueueOptions {
  /**
   * Which outcomes are read for limits. Calls that were cancelled, and refusals by Temper policies
   * inside, never are.
   *
   * @defaultValue all outcomes
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Finds the response in an outcome, for HTTP clients whose results or errors are not recognised.
   * Returns `undefined` when there is none. An error, a promise and anything without `headers` are
   * logged and count as none.
   *
   * @defaultValue reads a `Response`, a `Headers`, and errors of HTTP clients that have a status and
   * headers (of their own or of their `response`), but no other values: a parsed body with `headers`
   * or `retryAfterMs` has no influence
   */
  readonly responseOf?: (outcome: Outcome<unknown>) => ResponseLike | undefined;
  /**
   * The partition (`pk`) of the server's quotas that the calls belong to: its bytes, or their text.
   * What the server announces for other partitions is then ignored.
   *
   * @defaultValue none: every partition counts
   */
  readonly partitionKey?: Uint8Array | string;
  /**
   * Longest time that calls are held back for one announcement, in milliseconds: a reset or
   * `Retry-After` of a year must not stop a client for a year.
   *
   * @defaultValue 600_000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly maxBlockMs?: number;
}

type Unset = QueueUnset | 'shouldHandle' | 'responseOf' | 'partitionKey';

/** Options that were checked, with their defaults filled in. */
export type ResolvedClientOptions = Resolved<ClientRateLimitOptions, Unset>;

/** The defaults, as the README's table shows them. */
export const CLIENT_DEFAULTS: Omit<Defaults<ClientRateLimitOptions, Unset>, 'name'> = {
  ...QUEUE_DEFAULTS,
  maxBlockMs: 600_000,
};

/** Holds the options to their ranges and fills in the defaults. */
export function resolveClientOptions(options: ClientRateLimitOptions): ResolvedClientOptions {
  const defaults = { ...CLIENT_DEFAULTS, name: 'client-rate-limit' };
  return resolveOptions<ClientRateLimitOptions, Unset>('clientRateLimit', options, defaults, {
    ...QUEUE_RULES,
    shouldHandle: typeRule('function'),
    responseOf: typeRule('function'),
    partitionKey: (owner, option, value) => {
      if (typeof value === 'string' || value instanceof Uint8Array) return;
      throw new TypeError(`${owner}: ${option} must be bytes or their text, got ${show(value)}.`);
    },
    maxBlockMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
  });
}

import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import type { RedisClient } from './client.ts';

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /**
   * A connected client of `ioredis` or of `redis`, single or cluster. The store opens no connection and
   * closes none.
   *
   * @throws {TypeError} at construction, when it is of neither package
   */
  readonly client: RedisClient;
  /**
   * Names the store's circuit breaker in errors and metrics.
   *
   * @defaultValue 'redis'
   */
  readonly name?: string;
  /**
   * Prefix of every key.
   *
   * @defaultValue 'temper'
   */
  readonly prefix?: string;
  /**
   * Puts all keys of this store into one slot of a cluster, and so on one master, named by this text: limits that
   * `sharedAllOf` asks together are then asked in one step there. A server that is no cluster needs none.
   *
   * @defaultValue keys are spread by limit
   * @throws {TypeError} at construction, unless a string
   */
  readonly hashTag?: string;
  /**
   * Longest time for one command, in milliseconds. After it the store counts as unavailable.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly commandTimeoutMs?: number;
  /**
   * After this many failed commands in a row, no command is sent for {@link openDurationMs}.
   *
   * @defaultValue 3
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly failureThreshold?: number;
  /**
   * How long no command is sent then, in milliseconds. After it, one command is sent as a trial.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly openDurationMs?: number;
  /** For timeouts and the circuit breaker; limits use the server's clock. @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const REDIS_STORE_DEFAULTS: Defaults<RedisStoreOptions, 'client' | 'hashTag'> = {
  name: 'redis',
  prefix: 'temper',
  commandTimeoutMs: 250,
  failureThreshold: 3,
  openDurationMs: 1000,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. The client is checked where it is used. */
export type ResolvedRedisStoreOptions = Resolved<RedisStoreOptions, 'client' | 'hashTag'>;

/** Holds the options to their ranges and fills in the defaults. */
export function resolveRedisStoreOptions(options: RedisStoreOptions): ResolvedRedisStoreOptions {
  const duration = numberRule({ min: 0, aboveMin: true, infinite: false });
  return resolveOptions<RedisStoreOptions, 'client' | 'hashTag'>(
    'redisStore',
    options,
    REDIS_STORE_DEFAULTS,
    {
      client: () => undefined,
      name: nameRule,
      prefix: typeRule('string'),
      hashTag: typeRule('string'),
      commandTimeoutMs: duration,
      failureThreshold: numberRule({ min: 1, integer: true, infinite: false }),
      openDurationMs: duration,
      clock: clockRule,
    },
  );
}

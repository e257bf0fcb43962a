import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkType,
  systemClock,
} from '@temper/core';
import type { RedisClient } from './client.ts';

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /**
   * A connected client of `ioredis` or of `redis`, single or cluster. It stays yours: the store opens
   * no connection and closes none.
   */
  readonly client: RedisClient;
  /**
   * Names the store's own circuit breaker in errors and metrics.
   *
   * @defaultValue 'redis'
   */
  readonly name?: string;
  /**
   * What every key begins with.
   *
   * @defaultValue 'temper'
   */
  readonly prefix?: string;
  /**
   * Longest time for one command, in milliseconds. Past it the store counts as away.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly commandTimeoutMs?: number;
  /**
   * So many commands in a row have to fail before no more are sent for a while.
   *
   * @defaultValue 3
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly failureThreshold?: number;
  /**
   * How long none is sent then, in milliseconds. After it a single command finds out whether the
   * server is back.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly openDurationMs?: number;
  /** For timeouts and the breaker; limits go by the server's clock. @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const REDIS_STORE_DEFAULTS: {
  readonly name: 'redis';
  readonly prefix: 'temper';
  readonly commandTimeoutMs: 250;
  readonly failureThreshold: 3;
  readonly openDurationMs: 1000;
} = {
  name: 'redis',
  prefix: 'temper',
  commandTimeoutMs: 250,
  failureThreshold: 3,
  openDurationMs: 1000,
};

/** {@link RedisStoreOptions} when they have been checked. */
export type ResolvedRedisStoreOptions = Required<RedisStoreOptions>;

/** Holds the options to their ranges and fills in the defaults. */
export function resolveRedisStoreOptions(options: RedisStoreOptions): ResolvedRedisStoreOptions {
  const owner = 'redisStore';
  checkKnown(owner, options, [...Object.keys(REDIS_STORE_DEFAULTS), 'client', 'clock']);
  const {
    client,
    name = REDIS_STORE_DEFAULTS.name,
    prefix = REDIS_STORE_DEFAULTS.prefix,
    commandTimeoutMs = REDIS_STORE_DEFAULTS.commandTimeoutMs,
    failureThreshold = REDIS_STORE_DEFAULTS.failureThreshold,
    openDurationMs = REDIS_STORE_DEFAULTS.openDurationMs,
    clock = systemClock,
  } = options;
  checkName(owner, name);
  checkType(owner, 'prefix', prefix, 'string');
  checkNumber(owner, 'commandTimeoutMs', commandTimeoutMs, {
    min: 0,
    aboveMin: true,
    infinite: false,
  });
  checkNumber(owner, 'failureThreshold', failureThreshold, {
    min: 1,
    integer: true,
    infinite: false,
  });
  checkNumber(owner, 'openDurationMs', openDurationMs, { min: 0, aboveMin: true, infinite: false });
  checkClock(owner, clock);
  return { client, name, prefix, commandTimeoutMs, failureThreshold, openDurationMs, clock };
}

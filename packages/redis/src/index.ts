export {
  type IoredisLike,
  type NodeRedisLike,
  NotConnectedError,
  type RedisClient,
} from './client.ts';
export { REDIS_STORE_DEFAULTS, type RedisStoreOptions } from './options.ts';
export { type RedisStore, redisStore } from './redis-store.ts';

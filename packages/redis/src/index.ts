export type { IoredisLike, NodeRedisLike, RedisClient } from './client.ts';
export { NotConnectedError } from './errors.ts';
export type { RedisStoreOptions } from './options.ts';
export { type RedisStore, redisStore } from './redis-store.ts';

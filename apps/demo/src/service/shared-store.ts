import { messageOf } from '@temper/core/policy';
import type { HealthCheck } from '@temper/health';
import type { RateLimitStore } from '@temper/ratelimit/shared';

/** A Redis or Valkey server that the instances share. */
export interface SharedStore {
  readonly store: RateLimitStore;
  /** Whether it answers. Not critical, because each instance enforces its share without it. */
  readonly check: HealthCheck;
  close(): void;
}

const RECONNECT_MS = 500;

/** Connects to a store, and again whenever the connection is lost. */
export async function sharedStore(url: string, log: (line: string) => void): Promise<SharedStore> {
  const [{ Redis }, { redisStore }] = await Promise.all([
    import('ioredis'),
    import('@temper/redis'),
  ]);
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => RECONNECT_MS,
  });
  let last: string | undefined;
  client.on('ready', () => {
    last = undefined;
  });
  client.on('error', (error: unknown) => {
    const message = messageOf(error);
    // A client that reconnects reports the same error again and again.
    if (message !== last) log(`store: ${message}`);
    last = message;
  });
  return {
    store: redisStore({ client }),
    check: {
      name: 'store',
      componentType: 'datastore',
      critical: false,
      dependency: true,
      check: async () => {
        if (last !== undefined) return { status: 'unhealthy', message: last };
        await client.ping();
        return { status: 'healthy' };
      },
    },
    close: () => client.disconnect(),
  };
}

import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '../src/index.ts';

/** A connection of one of the two packages, with the few commands that tests need. */
export interface Connection {
  readonly client: RedisClient;
  command(...words: string[]): Promise<unknown>;
  close(): Promise<void>;
}

/** Both packages, by name. */
export type ClientKind = 'ioredis' | 'redis';
export const CLIENT_KINDS: readonly ClientKind[] = ['ioredis', 'redis'];

/** Connects, and reconnects quickly when the server has been away. */
export async function connectTo(kind: ClientKind, port: number): Promise<Connection> {
  if (kind === 'ioredis') {
    const client = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => 50,
    });
    // Without a listener, the client logs every lost connection.
    client.on('error', () => undefined);
    await client.connect();
    return {
      client,
      command: (name, ...words) => client.call(name!, ...words),
      close: async () => client.disconnect(),
    };
  }
  const client = createClient({
    socket: { port, host: '127.0.0.1', reconnectStrategy: () => 50 },
  });
  client.on('error', () => undefined);
  await client.connect();
  return {
    client: client as unknown as RedisClient,
    command: (...words) => client.sendCommand(words),
    close: async () => client.destroy(),
  };
}

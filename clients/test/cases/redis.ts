import type { Socket } from 'node:net';
import { Cluster, Redis } from 'ioredis';
import { createClient } from 'redis';
import { closedPort, type ErrorCase, thrownBy, withTcp } from '../case.ts';

/** Running servers. */
export interface RedisPorts {
  /** With the password `secret` for the user `default`, and 1 MiB of memory, all of it taken. */
  readonly full: number;
  readonly plain: number;
  /** Accepts no more connections. */
  readonly crowded: number;
  /** Replicates a server that is not there. */
  readonly replica: number;
  /** As `replica`, and does not answer from its old data. */
  readonly stale: number;
  /** A cluster without slots. */
  readonly slotless: number;
  /** A node of a cluster whose slots another node has. */
  readonly moved: number;
  /** Loads its data for a long time. */
  readonly loading: number;
}

type Command = readonly [string, ...string[]];
/** Runs a command with a client, and returns what was thrown. */
type Run = (port: number, command: Command, password?: string) => Promise<unknown>;

const ioredis: Run = async (port, command, password) => {
  const redis = new Redis({
    ...quiet(port),
    ...(password === undefined ? {} : { password }),
  });
  redis.on('error', () => undefined);
  try {
    const [name, ...args] = command;
    return await thrownBy(redis.call(name, ...args));
  } finally {
    redis.disconnect();
  }
};

/** No attempt but one. */
const quiet = (port: number) => ({
  host: '127.0.0.1',
  port,
  enableReadyCheck: false,
  disableClientInfo: true,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
});

const nodeRedis: Run = async (port, command, password) => {
  const redis = createClient({
    socket: { host: '127.0.0.1', port, reconnectStrategy: false },
    disableClientInfo: true,
    ...(password === undefined ? {} : { password }),
  });
  redis.on('error', () => undefined);
  try {
    return await thrownBy(redis.connect().then(() => redis.sendCommand(command)));
  } finally {
    if (redis.isOpen) redis.destroy();
  }
};

interface Reply {
  readonly on: keyof RedisPorts;
  readonly command: Command;
  readonly happened: string;
  readonly verdict: ErrorCase['verdict'];
  readonly note?: string;
}

/** What every client gets from the same server. */
const REPLIES: readonly Reply[] = [
  {
    on: 'loading',
    command: ['GET', 'x'],
    happened: 'the server loads its data (LOADING)',
    verdict: 'retry overload failure',
  },
  {
    on: 'replica',
    command: ['SET', 'x', '1'],
    happened: 'a write to a replica, as after a failover (READONLY)',
    verdict: 'retry overload failure',
    note: 'Transient while the name of the primary moves; a write that is always sent to a replica is only repeated in vain.',
  },
  {
    on: 'stale',
    command: ['GET', 'x'],
    happened: 'a replica has lost its primary (MASTERDOWN)',
    verdict: 'retry overload failure',
  },
  {
    on: 'slotless',
    command: ['GET', 'x'],
    happened: 'nobody serves the slot (CLUSTERDOWN)',
    verdict: 'retry overload failure',
  },
  {
    on: 'moved',
    command: ['GET', 'x'],
    happened: 'another node has the slot, and the client does not follow (MOVED)',
    verdict: 'retry overload failure',
    note: 'Clients for clusters follow by themselves; one that follows too often gives up with an error, and the slots may have settled a little later.',
  },
  {
    on: 'crowded',
    command: ['GET', 'x'],
    happened: 'the server has too many clients',
    verdict: 'retry overload failure',
  },
  {
    on: 'full',
    command: ['GET', 'x'],
    happened: 'no password was given (NOAUTH)',
    verdict: 'mistake',
  },
  {
    on: 'plain',
    command: ['LPUSH', 'text', '1'],
    happened: 'a command for a list on a text (WRONGTYPE)',
    verdict: 'mistake',
  },
  {
    on: 'plain',
    command: ['EVALSHA', 'f'.repeat(40), '0'],
    happened: 'the server does not know the script (NOSCRIPT)',
    verdict: 'mistake',
  },
  { on: 'plain', command: ['GETT', 'x'], happened: 'an unknown command', verdict: 'mistake' },
  { on: 'plain', command: ['GET'], happened: 'an argument is missing', verdict: 'mistake' },
  {
    on: 'plain',
    command: ['INCR', 'text'],
    happened: 'a text that is no number',
    verdict: 'mistake',
  },
];

const hangUp = (socket: Socket): void => {
  socket.once('data', () => socket.destroy());
};

export function redisCases(ports: () => RedisPorts): readonly ErrorCase[] {
  const replies = [
    ['ioredis', ioredis, 'ReplyError'] as const,
    ['node-redis', nodeRedis, 'SimpleError'] as const,
  ].flatMap(([client, run, error]) => [
    ...REPLIES.map(
      ({ on, command, ...words }): ErrorCase => ({
        client,
        error,
        ...words,
        provoke: () => run(ports()[on], command),
      }),
    ),
    {
      client,
      error,
      happened: 'the memory of the server is full (OOM)',
      verdict: 'failure',
      note: 'Like a full disk: it stays so until keys are deleted or expire.',
      provoke: () => run(ports().full, ['SET', 'x', '1'], 'secret'),
    } satisfies ErrorCase,
    {
      client,
      error,
      happened: 'the password is wrong (WRONGPASS)',
      verdict: 'mistake',
      provoke: () => run(ports().full, ['GET', 'x'], 'wrong'),
    } satisfies ErrorCase,
  ]);
  return [
    ...replies,
    {
      client: 'ioredis',
      error: 'MaxRetriesPerRequestError',
      happened: 'the connection is refused, and `maxRetriesPerRequest` is used up',
      verdict: 'retry overload failure',
      provoke: async () => {
        const redis = new Redis({
          host: '127.0.0.1',
          port: await closedPort(),
          maxRetriesPerRequest: 1,
          retryStrategy: () => 1,
        });
        redis.on('error', () => undefined);
        return thrownBy(redis.get('x')).finally(() => redis.disconnect());
      },
    },
    {
      client: 'ioredis',
      error: 'Error',
      happened: 'the connection breaks in the middle of a command, and may not be opened again',
      verdict: 'retry overload failure',
      provoke: () => withTcp(hangUp, (port) => ioredis(port, ['GET', 'x'])),
    },
    {
      client: 'ioredis',
      error: 'Error',
      happened: '`commandTimeout` ran out',
      verdict: 'retry overload failure',
      provoke: () =>
        withTcp(
          () => undefined,
          async (port) => {
            const redis = new Redis({ ...quiet(port), commandTimeout: 100 });
            return thrownBy(redis.get('x')).finally(() => redis.disconnect());
          },
        ),
    },
    {
      client: 'ioredis',
      error: 'Error',
      happened: 'there is no connection, and `enableOfflineQueue` is false',
      verdict: 'retry overload failure',
      provoke: () =>
        withTcp(
          () => undefined,
          async (port) => {
            const redis = new Redis({ ...quiet(port), enableOfflineQueue: false });
            return thrownBy(redis.get('x')).finally(() => redis.disconnect());
          },
        ),
    },
    {
      client: 'ioredis',
      error: 'ClusterAllFailedError',
      happened: 'no node of the cluster can be reached',
      verdict: 'retry overload failure',
      provoke: async () => {
        const cluster = new Cluster([{ host: '127.0.0.1', port: await closedPort() }], {
          clusterRetryStrategy: () => null,
        });
        const told = new Promise((resolve) => cluster.on('error', resolve));
        void thrownBy(cluster.get('x'));
        return told.finally(() => cluster.disconnect());
      },
    },
    {
      client: 'node-redis',
      error: 'Error ECONNREFUSED',
      happened: 'the connection is refused',
      verdict: 'retry overload failure',
      provoke: async () => nodeRedis(await closedPort(), ['GET', 'x']),
    },
    {
      client: 'node-redis',
      error: 'SocketClosedUnexpectedlyError',
      happened: 'the connection breaks in the middle of a command',
      verdict: 'retry overload failure',
      provoke: () => withTcp(hangUp, (port) => nodeRedis(port, ['GET', 'x'])),
    },
    {
      client: 'node-redis',
      error: 'ClientOfflineError',
      happened: 'there is no connection, and `disableOfflineQueue` is true',
      verdict: 'retry overload failure',
      provoke: () =>
        withTcp(
          (socket) => socket.destroy(),
          async (port) => {
            const redis = createClient({
              socket: { host: '127.0.0.1', port, reconnectStrategy: 10_000 },
              disableOfflineQueue: true,
            });
            const lost = new Promise((resolve) => redis.on('error', resolve));
            void thrownBy(redis.connect());
            await lost;
            return thrownBy(redis.get('x')).finally(() => redis.destroy());
          },
        ),
    },
    {
      client: 'node-redis',
      error: 'ClientClosedError',
      happened: 'the client was closed, or never connected',
      verdict: 'failure',
      note: 'No attempt brings it back: a program uses a client that it has closed.',
      provoke: () => thrownBy(createClient().get('x')),
    },
  ];
}

import { closedPort, type ErrorCase, thrownBy, withTcp } from '../case.ts';
import type { PostgresPort } from './pg.ts';
import { type Prisma, prismaClient } from './prisma-client.ts';

const client = '@prisma/client';
const KNOWN = 'PrismaClientKnownRequestError';
const BUSY = 'retry overload failure';

type Settings = Parameters<typeof prismaClient>[0];

/** A transaction may wait for the machine. */
const PATIENT = { timeout: 60_000, maxWait: 60_000 };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What `body` is rejected with, given a client that is closed afterwards. */
async function thrownWith(
  settings: Settings,
  body: (prisma: Prisma) => Promise<unknown>,
): Promise<unknown> {
  const prisma = prismaClient(settings);
  try {
    return await thrownBy(body(prisma));
  } finally {
    await prisma.$disconnect().catch(() => undefined);
  }
}

/** Rejects with the first failure, once all have ended. */
async function firstFailure(all: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(all)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

/** The table with its rows, whatever was there before. */
async function fill(prisma: Prisma): Promise<void> {
  await prisma.$executeRawUnsafe('DROP TABLE IF EXISTS "Stock"');
  await prisma.$executeRawUnsafe(
    'CREATE TABLE "Stock" (id int PRIMARY KEY, name text UNIQUE NOT NULL, count int NOT NULL CHECK (count < 1000))',
  );
  for (const id of [1, 2]) await prisma.stock.create({ data: { id, name: `s${id}`, count: 1 } });
}

const add = { count: { increment: 1 } };

/** Resolves for all as soon as `count` have come. */
function barrier(count: number): () => Promise<void> {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let come = 0;
  return () => {
    if (++come === count) open();
    return opened;
  };
}

/** Two transactions that have to wait for each other. */
async function deadlock(prisma: Prisma): Promise<unknown> {
  await fill(prisma);
  const bothHold = barrier(2);
  const both = [1, 2].map((id) =>
    prisma.$transaction(async ({ stock }) => {
      await stock.update({ where: { id }, data: add });
      await bothHold();
      await stock.update({ where: { id: 3 - id }, data: add });
    }, PATIENT),
  );
  return firstFailure(both);
}

/** Two transactions that have read the same row, and write it one after the other. */
async function unserializable(prisma: Prisma): Promise<unknown> {
  await fill(prisma);
  const bothRead = barrier(2);
  const write = async (committed: Promise<unknown>): Promise<void> =>
    prisma.$transaction(
      async ({ stock }) => {
        await stock.findMany();
        await bothRead();
        await committed;
        await stock.update({ where: { id: 1 }, data: add });
      },
      { ...PATIENT, isolationLevel: 'RepeatableRead' },
    );
  const one = write(Promise.resolve());
  return firstFailure([one, write(one)]);
}

/** A transaction holds the only connection of the pool while `body` runs. */
async function whileHeld(prisma: Prisma, body: () => Promise<unknown>): Promise<unknown> {
  let begun: () => void = () => undefined;
  const holds = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = prisma.$transaction(async (queries) => {
    await queries.$queryRawUnsafe('SELECT 1');
    begun();
    await released;
  }, PATIENT);
  await Promise.race([holds, held]);
  try {
    return await body();
  } finally {
    release();
    await held;
  }
}

async function terminated(prisma: Prisma): Promise<unknown> {
  const slow = prisma.$queryRawUnsafe('SELECT pg_sleep(20)::text');
  slow.catch(() => undefined);
  const other = prismaClient({ port: portOf(prisma), max: 1 });
  const end = `SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
    WHERE query LIKE '%pg_sleep(20)%' AND state = 'active' AND pid <> pg_backend_pid()`;
  while ((await other.$queryRawUnsafe<unknown[]>(end)).length === 0) await pause(20);
  await other.$disconnect();
  return slow;
}

const ports = new WeakMap<Prisma, number>();
const portOf = (prisma: Prisma): number => ports.get(prisma) as number;

/** Errors of Prisma 7 over its adapter for pg. @param server - one with at least ten connections */
export function prismaCases(server: () => Pick<PostgresPort, 'port'>): readonly ErrorCase[] {
  const failing = (
    error: string,
    happened: string,
    verdict: ErrorCase['verdict'],
    body: (prisma: Prisma) => Promise<unknown>,
    settings: Settings = {},
    note?: string,
  ): ErrorCase => ({
    client,
    error,
    happened,
    verdict,
    ...(note === undefined ? {} : { note }),
    provoke: () =>
      thrownWith({ port: server().port, max: 2, ...settings }, (prisma) => {
        ports.set(prisma, server().port);
        return body(prisma);
      }),
  });
  const filled =
    (body: (prisma: Prisma) => Promise<unknown>) =>
    async (prisma: Prisma): Promise<unknown> => {
      await fill(prisma);
      return body(prisma);
    };
  return [
    {
      client,
      error: `${KNOWN} P1001`,
      happened: 'the connection is refused',
      verdict: BUSY,
      provoke: async () =>
        thrownWith({ port: await closedPort() }, ({ stock }) => stock.findMany()),
    },
    failing(
      `${KNOWN} P1001`,
      'the name of the host is not known',
      BUSY,
      ({ stock }) => stock.findMany(),
      { host: 'nowhere.invalid' },
      'As of other clients: a name server that has just been restarted looks the same.',
    ),
    {
      client,
      error: `${KNOWN} P1017`,
      happened: 'the server resets the connection',
      verdict: BUSY,
      provoke: () =>
        withTcp(
          (socket) => socket.once('data', () => socket.resetAndDestroy()),
          (port) => thrownWith({ port }, ({ stock }) => stock.findMany()),
        ),
    },
    {
      client,
      error: 'Error',
      happened: 'the server hangs up while the connection is opened',
      verdict: BUSY,
      note: 'The adapter passes what `pg` gives no code on as it is.',
      provoke: () =>
        withTcp(
          (socket) => socket.once('data', () => socket.end()),
          (port) => thrownWith({ port }, ({ stock }) => stock.findMany()),
        ),
    },
    {
      client,
      error: 'Error',
      happened: 'the server did not accept within `connectionTimeoutMillis`',
      verdict: BUSY,
      provoke: () =>
        withTcp(
          () => undefined,
          (port) =>
            thrownWith({ port, connectionTimeoutMillis: 100 }, ({ stock }) => stock.findMany()),
        ),
    },
    failing(
      'Error',
      'the pool had no connection within `connectionTimeoutMillis`',
      BUSY,
      (prisma) => whileHeld(prisma, () => prisma.stock.findMany()),
      { max: 1, connectionTimeoutMillis: 100 },
      'With the engines of Prisma 6 and older it was P2024, which is judged alike.',
    ),
    failing(
      'Error',
      '`query_timeout` ran out',
      BUSY,
      (prisma) => prisma.$queryRawUnsafe('SELECT pg_sleep(1)::text'),
      { query_timeout: 50 },
    ),
    failing(
      `${KNOWN} P2028`,
      'a transaction could not be started within `maxWait`',
      BUSY,
      (prisma) =>
        whileHeld(prisma, () =>
          prisma.$transaction(({ stock }) => stock.findMany(), { maxWait: 100 }),
        ),
      { max: 1 },
    ),
    failing(`${KNOWN} P2028`, 'a transaction took longer than its `timeout`', BUSY, (prisma) =>
      prisma.$transaction(
        async (queries) => {
          await pause(300);
          await queries.$queryRawUnsafe('SELECT 1');
        },
        { timeout: 100 },
      ),
    ),
    failing(
      `${KNOWN} P2028`,
      'a query in a transaction that is over',
      'failure',
      async (prisma) => {
        let kept: Pick<Prisma, '$queryRawUnsafe'> | undefined;
        await prisma.$transaction(async (queries) => {
          kept = queries;
        });
        await kept?.$queryRawUnsafe('SELECT 1');
      },
      {},
      'A bug of the program. Prisma gives it the same code; its text and fields tell them apart.',
    ),
    failing(
      `${KNOWN} P2034`,
      'the transaction lost a deadlock',
      'retry failure',
      deadlock,
      {},
      'Retry the whole transaction.',
    ),
    failing(
      `${KNOWN} P2034`,
      'the transaction cannot be serialized',
      'retry failure',
      unserializable,
      {},
      'As above.',
    ),
    failing(`${KNOWN} P2037`, 'too many connections', BUSY, async (prisma) => {
      await prisma.$executeRawUnsafe('DROP ROLE IF EXISTS few');
      await prisma.$executeRawUnsafe('CREATE ROLE few LOGIN CONNECTION LIMIT 0');
      throw await thrownWith({ port: portOf(prisma), user: 'few' }, ({ stock }) =>
        stock.findMany(),
      );
    }),
    failing(
      `${KNOWN} P2010`,
      'an administrator ended the session in the middle of a query (57P01)',
      BUSY,
      terminated,
      { max: 1 },
    ),
    failing(
      `${KNOWN} P2010`,
      '`statement_timeout` ran out in a raw query (57014)',
      BUSY,
      (prisma) => prisma.$queryRawUnsafe('SELECT pg_sleep(20)::text'),
      { statement_timeout: 50 },
    ),
    failing(
      `${KNOWN} P2039`,
      '`lock_timeout` ran out (55P03)',
      'retry failure',
      async (prisma) => {
        await fill(prisma);
        return prisma.$transaction(async (queries) => {
          await queries.stock.update({ where: { id: 1 }, data: add });
          await prisma.stock.update({ where: { id: 1 }, data: add });
        });
      },
      { lock_timeout: 50 },
    ),
    failing(
      `${KNOWN} P2039`,
      'a write to a server that is read-only, as after a failover (25006)',
      BUSY,
      async (prisma) => {
        await fill(prisma);
        return prisma.$transaction(async (queries) => {
          await queries.$executeRawUnsafe('SET TRANSACTION READ ONLY');
          await queries.stock.update({ where: { id: 1 }, data: add });
        });
      },
    ),
    failing(
      `${KNOWN} P2039`,
      'a value that a check refuses (23514)',
      'mistake',
      filled(({ stock }) => stock.create({ data: { id: 3, name: 'c', count: 5000 } })),
    ),
    failing(
      `${KNOWN} P2002`,
      'a unique key is violated',
      'mistake',
      filled(({ stock }) => stock.create({ data: { id: 1, name: 'c', count: 1 } })),
    ),
    failing(
      `${KNOWN} P2025`,
      'there is no such record',
      'mistake',
      filled(({ stock }) => stock.findUniqueOrThrow({ where: { id: 99 } })),
    ),
    failing(`${KNOWN} P2021`, 'there is no such table', 'mistake', async (prisma) => {
      await prisma.$executeRawUnsafe('DROP TABLE IF EXISTS "Stock"');
      return prisma.stock.findMany();
    }),
    failing(`${KNOWN} P2010`, 'an error of syntax in a raw query (42601)', 'mistake', (prisma) =>
      prisma.$queryRawUnsafe('SELEKT 1'),
    ),
    failing('PrismaClientValidationError', 'a field is missing', 'mistake', ({ stock }) =>
      stock.create({ data: { id: 5 } }),
    ),
    failing(
      `${KNOWN} P1003`,
      'there is no such database',
      'mistake',
      ({ stock }) => stock.findMany(),
      { database: 'no' },
    ),
    failing(
      `${KNOWN} P1010`,
      'the role may not log in',
      'mistake',
      ({ stock }) => stock.findMany(),
      { user: 'nobody' },
    ),
  ];
}

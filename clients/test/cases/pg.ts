import pg from 'pg';
import { closedPort, type ErrorCase, thrownBy, withTcp } from '../case.ts';

/** A running server, with at most four connections of ordinary users. */
export interface PostgresPort {
  readonly port: number;
  /** Ends the server, waiting for its sessions to leave. */
  readonly shutDown: () => void;
}

const settings = (port: number): pg.ClientConfig => ({
  host: '127.0.0.1',
  port,
  user: 'temper',
  database: 'postgres',
});

async function withClients<T>(
  count: number,
  port: number,
  body: (clients: pg.Client[]) => Promise<T>,
  more: pg.ClientConfig = {},
): Promise<T> {
  const clients = Array.from(
    { length: count },
    () => new pg.Client({ ...settings(port), ...more }),
  );
  for (const client of clients) client.on('error', () => undefined);
  try {
    for (const client of clients) await client.connect();
    return await body(clients);
  } finally {
    for (const client of clients) await client.end().catch(() => undefined);
  }
}

/** What the second client throws when both have run the statements in turn. */
async function race(port: number, isolation: string, steps: [string, string][]): Promise<unknown> {
  return await withClients(2, port, async (clients) => {
    const [one, two] = clients as [pg.Client, pg.Client];
    await one.query('DROP TABLE IF EXISTS raced');
    await one.query('CREATE TABLE raced (id int PRIMARY KEY, n int)');
    await one.query('INSERT INTO raced VALUES (1, 0), (2, 0)');
    for (const client of [one, two]) await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
    const running: Promise<unknown>[] = [];
    for (const [first, second] of steps) {
      running.push(thrownBy(one.query(first)));
      await new Promise((resolve) => setTimeout(resolve, 50));
      running.push(thrownBy(two.query(second)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const results = await Promise.all(running);
    return results.find((result) => result instanceof Error) ?? results;
  });
}

const client = 'pg';

export function pgCases(server: () => PostgresPort): readonly ErrorCase[] {
  const failing = (
    sql: string,
    error: string,
    happened: string,
    verdict: ErrorCase['verdict'],
    note?: string,
  ): ErrorCase => ({
    client,
    error: `error ${error}`,
    happened,
    verdict,
    ...(note === undefined ? {} : { note }),
    provoke: () =>
      withClients(1, server().port, ([one]) => thrownBy((one as pg.Client).query(sql))),
  });
  const table = 'CREATE TEMP TABLE t (id int PRIMARY KEY, name text NOT NULL);';
  return [
    {
      client,
      error: 'error 40P01',
      happened: 'the transaction lost a deadlock',
      verdict: 'retry failure',
      note: 'Retry the whole transaction. It counts as a failure: when half of all transactions lose, fewer of them help.',
      provoke: () =>
        race(server().port, 'READ COMMITTED', [
          ['UPDATE raced SET n = 1 WHERE id = 1', 'UPDATE raced SET n = 2 WHERE id = 2'],
          ['UPDATE raced SET n = 1 WHERE id = 2', 'UPDATE raced SET n = 2 WHERE id = 1'],
        ]),
    },
    {
      client,
      error: 'error 40001',
      happened: 'the transaction cannot be serialized',
      verdict: 'retry failure',
      note: 'As above.',
      provoke: () =>
        race(server().port, 'REPEATABLE READ', [
          ['SELECT * FROM raced', 'SELECT * FROM raced'],
          ['UPDATE raced SET n = n + 1 WHERE id = 1', 'SELECT 1'],
          ['COMMIT', 'UPDATE raced SET n = n + 1 WHERE id = 1'],
        ]),
    },
    {
      client,
      error: 'error 55P03',
      happened: '`lock_timeout` ran out',
      verdict: 'retry failure',
      provoke: () =>
        withClients(2, server().port, async (clients) => {
          const [one, two] = clients as [pg.Client, pg.Client];
          await one.query('BEGIN; SELECT pg_advisory_xact_lock(1)');
          return thrownBy(two.query("SET lock_timeout = '50ms'; SELECT pg_advisory_xact_lock(1)"));
        }),
    },
    {
      client,
      error: 'error 53300',
      happened: 'too many connections',
      verdict: 'retry overload failure',
      provoke: () =>
        withClients(1, server().port, async ([one]) => {
          await (one as pg.Client).query(
            'DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN CONNECTION LIMIT 0',
          );
          const refused = new pg.Client({ ...settings(server().port), user: 'few' });
          return thrownBy(refused.connect());
        }),
    },
    {
      client,
      error: 'error 57P01',
      happened: 'an administrator ended the session in the middle of a query',
      verdict: 'retry overload failure',
      provoke: () =>
        withClients(2, server().port, async (clients) => {
          const [one, two] = clients as [pg.Client, pg.Client];
          const { rows } = await one.query('SELECT pg_backend_pid() AS pid');
          const slow = thrownBy(one.query('SELECT pg_sleep(20)'));
          await two.query('SELECT pg_sleep(0.1), pg_terminate_backend($1)', [rows[0].pid]);
          return slow;
        }),
    },
    {
      client,
      error: 'error 57014',
      happened: '`statement_timeout` ran out',
      verdict: 'retry overload failure',
      note: 'The same code says that somebody cancelled the query by hand.',
      provoke: () =>
        withClients(
          1,
          server().port,
          ([one]) => thrownBy((one as pg.Client).query('SELECT pg_sleep(20)')),
          {
            statement_timeout: 50,
          },
        ),
    },
    {
      client,
      error: 'Error',
      happened: '`query_timeout` ran out',
      verdict: 'retry overload failure',
      provoke: () =>
        withClients(
          1,
          server().port,
          async ([one]) => thrownBy((one as pg.Client).query('SELECT pg_sleep(1)')),
          {
            query_timeout: 50,
          },
        ),
    },
    {
      client,
      error: 'Error',
      happened: 'the pool had no connection within `connectionTimeoutMillis`',
      verdict: 'retry overload failure',
      provoke: async () => {
        const pool = new pg.Pool({
          ...settings(server().port),
          max: 1,
          connectionTimeoutMillis: 100,
        });
        const held = await pool.connect();
        const error = await thrownBy(pool.query('SELECT 1'));
        held.release();
        await pool.end();
        return error;
      },
    },
    {
      client,
      error: 'Error',
      happened: 'the server did not accept within `connectionTimeoutMillis`',
      verdict: 'retry overload failure',
      provoke: () =>
        withTcp(
          () => undefined,
          (port) =>
            thrownBy(new pg.Client({ ...settings(port), connectionTimeoutMillis: 100 }).connect()),
        ),
    },
    {
      client,
      error: 'Error',
      happened: 'the connection breaks while it is being opened',
      verdict: 'retry overload failure',
      provoke: () =>
        withTcp(
          (socket) => socket.once('data', () => socket.end()),
          (port) => thrownBy(new pg.Client(settings(port)).connect()),
        ),
    },
    {
      client,
      error: 'Error',
      happened: 'a query on a connection that was lost before',
      verdict: 'retry overload failure',
      provoke: () =>
        withClients(2, server().port, async (clients) => {
          const [one, two] = clients as [pg.Client, pg.Client];
          const { rows } = await one.query('SELECT pg_backend_pid() AS pid');
          const ended = new Promise((resolve) => one.once('end', resolve));
          await two.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
          await ended;
          return thrownBy(one.query('SELECT 1'));
        }),
    },
    {
      client,
      error: 'Error ECONNREFUSED',
      happened: 'the connection is refused',
      verdict: 'retry overload failure',
      provoke: async () => thrownBy(new pg.Client(settings(await closedPort())).connect()),
    },
    failing(
      'BEGIN READ ONLY; CREATE TABLE no (id int)',
      '25006',
      'a write to a server that is read-only, as after a failover',
      'retry overload failure',
      'Transient while the name of the primary moves; a write that is always sent to a replica is only repeated in vain.',
    ),
    failing(
      `${table} INSERT INTO t VALUES (1, 'a'), (1, 'b')`,
      '23505',
      'a unique key is violated',
      'mistake',
    ),
    failing(`${table} INSERT INTO t VALUES (1, NULL)`, '23502', 'a value is missing', 'mistake'),
    failing('SELEKT 1', '42601', 'an error of syntax', 'mistake'),
    failing('SELECT * FROM no_such', '42P01', 'there is no such table', 'mistake'),
    failing("SELECT 'x'::int", '22P02', 'a text that is no number', 'mistake'),
    failing('SELECT 1/0', '22012', 'a division by zero', 'mistake'),
    failing("DO $$BEGIN RAISE 'no' ; END$$", 'P0001', 'a procedure raised an error', 'mistake'),
    failing(
      'DROP ROLE IF EXISTS guest; CREATE ROLE guest; SET ROLE guest; CREATE ROLE other',
      '42501',
      'the role may not do this',
      'mistake',
    ),
    {
      client,
      error: 'error 28000',
      happened: 'the role may not log in',
      verdict: 'mistake',
      provoke: () =>
        thrownBy(new pg.Client({ ...settings(server().port), user: 'nobody' }).connect()),
    },
    {
      client,
      error: 'error 3D000',
      happened: 'there is no such database',
      verdict: 'mistake',
      provoke: () =>
        thrownBy(new pg.Client({ ...settings(server().port), database: 'no' }).connect()),
    },
    // The last, as it ends the server.
    {
      client,
      error: 'error 57P03',
      happened: 'the server shuts down',
      verdict: 'retry overload failure',
      provoke: () =>
        withClients(1, server().port, async () => {
          server().shutDown();
          for (;;) {
            const late = new pg.Client(settings(server().port));
            late.on('error', () => undefined);
            const error = await thrownBy(late.connect());
            if (error instanceof Error) return error;
            await late.end();
          }
        }),
    },
  ];
}

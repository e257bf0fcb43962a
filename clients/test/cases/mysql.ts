import type { AddressInfo, Server, Socket } from 'node:net';
import { type Connection, createServer } from 'mysql2';
import mysql from 'mysql2/promise';
import { closedPort, type ErrorCase, thrownBy, withTcp } from '../case.ts';

interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly sqlState: string;
}

/** The server side of mysql2 leaves the SQLSTATE out, so that the packet is written here. */
function refuse(connection: ServerConnection, sequence: number, refusal: Refusal): void {
  const { code, sqlState, message } = refusal;
  const body = Buffer.from(`\xff\0\0#${sqlState}${message}`, 'latin1');
  body.writeUInt16LE(code, 1);
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head.writeUInt8(sequence, 3);
  connection.stream.write(Buffer.concat([head, body]));
}

/** The server side of mysql2, which has more than its types say. */
interface ServerConnection extends Connection {
  serverHandshake(options: object): void;
  readonly stream: Socket;
}

interface MysqlServer {
  on(event: 'connection', listener: OnQuery): void;
  listen(port: number, host: string): void;
  close(closed: () => void): void;
  readonly _server: Server;
}

type OnQuery = (connection: ServerConnection) => void;

/** A server that speaks the protocol of MySQL, and treats every query so. */
async function withMysql(
  onQuery: OnQuery,
  body: (settings: mysql.ConnectionOptions) => Promise<unknown>,
  onConnect?: OnQuery,
): Promise<unknown> {
  const server = (createServer as unknown as () => MysqlServer)();
  const sockets = new Set<Socket>();
  server.on('connection', (connection: ServerConnection) => {
    sockets.add(connection.stream);
    connection.on('error', () => undefined);
    connection.stream.on('error', () => undefined);
    if (onConnect !== undefined) {
      onConnect(connection);
      return;
    }
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion: '8.4.0',
      connectionId: 1,
      statusFlags: 2,
      characterSet: 8,
      capabilityFlags: 0xffffff & ~0x800,
    });
    connection.on('query', () => onQuery(connection));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1');
    server._server.once('listening', resolve);
  });
  const { port } = server._server.address() as AddressInfo;
  try {
    return await body({ host: '127.0.0.1', port, user: 'u' });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

async function query(
  settings: mysql.ConnectionOptions,
  options: { timeout?: number } = {},
): Promise<unknown> {
  const connection = await mysql.createConnection(settings);
  connection.on('error', () => undefined);
  return await connection
    .query({ sql: 'UPDATE t SET n = 1', ...options })
    .finally(() => connection.destroy());
}

const client = 'mysql2';

const refused = (
  error: string,
  refusal: Refusal,
  happened: string,
  verdict: ErrorCase['verdict'],
  note?: string,
): ErrorCase => ({
  client,
  error: `Error ${error}`,
  happened,
  verdict,
  ...(note === undefined ? {} : { note }),
  provoke: () =>
    withMysql(
      (connection) => refuse(connection, 1, refusal),
      (settings) => thrownBy(query(settings)),
    ),
});

export const mysqlCases: readonly ErrorCase[] = [
  refused(
    'ER_LOCK_DEADLOCK',
    { code: 1213, sqlState: '40001', message: 'Deadlock found when trying to get lock' },
    'the transaction lost a deadlock',
    'retry failure',
  ),
  refused(
    'ER_LOCK_WAIT_TIMEOUT',
    { code: 1205, sqlState: 'HY000', message: 'Lock wait timeout exceeded' },
    'another transaction held a lock for too long',
    'retry failure',
    'MySQL rolls back only the statement: retry the whole transaction.',
  ),
  refused(
    'ER_QUERY_TIMEOUT',
    { code: 3024, sqlState: 'HY000', message: 'Query execution was interrupted' },
    '`max_execution_time` ran out',
    'retry overload failure',
  ),
  refused(
    'ER_SERVER_SHUTDOWN',
    { code: 1053, sqlState: '08S01', message: 'Server shutdown in progress' },
    'the server shuts down',
    'retry overload failure',
  ),
  refused(
    'ER_OPTION_PREVENTS_STATEMENT',
    { code: 1290, sqlState: 'HY000', message: 'The server is running with --read-only' },
    'a write to a replica, as after a failover',
    'retry overload failure',
    'Transient while the name of the primary moves; a write that is always sent to a replica is only repeated in vain.',
  ),
  refused(
    'ER_DUP_ENTRY',
    { code: 1062, sqlState: '23000', message: "Duplicate entry '1' for key" },
    'a unique key is violated',
    'mistake',
  ),
  refused(
    'ER_PARSE_ERROR',
    { code: 1064, sqlState: '42000', message: 'You have an error in your SQL syntax' },
    'an error of syntax',
    'mistake',
  ),
  refused(
    'ER_NO_SUCH_TABLE',
    { code: 1146, sqlState: '42S02', message: "Table 'x.t' doesn't exist" },
    'there is no such table',
    'mistake',
  ),
  refused(
    'ER_DATA_TOO_LONG',
    { code: 1406, sqlState: '22001', message: "Data too long for column 'n'" },
    'a value that is too long',
    'mistake',
  ),
  refused(
    'ER_DISK_FULL',
    { code: 1021, sqlState: 'HY000', message: 'Disk full' },
    'the disk of the server is full',
    'failure',
  ),
  {
    client,
    error: 'Error ER_CON_COUNT_ERROR',
    happened: 'the server has too many connections',
    verdict: 'retry overload failure',
    provoke: () =>
      withMysql(
        () => undefined,
        (settings) => thrownBy(query(settings)),
        (connection) =>
          refuse(connection, 0, { code: 1040, sqlState: '08004', message: 'Too many connections' }),
      ),
  },
  {
    client,
    error: 'Error ER_ACCESS_DENIED_ERROR',
    happened: 'the password is wrong',
    verdict: 'mistake',
    provoke: () =>
      withMysql(
        () => undefined,
        (settings) => thrownBy(query(settings)),
        (connection) =>
          refuse(connection, 0, { code: 1045, sqlState: '28000', message: 'Access denied' }),
      ),
  },
  {
    client,
    error: 'Error PROTOCOL_CONNECTION_LOST',
    happened: 'the server has gone away in the middle of a query',
    verdict: 'retry overload failure',
    provoke: () =>
      withMysql(
        (connection) => connection.stream.end(),
        (settings) => thrownBy(query(settings)),
      ),
  },
  {
    client,
    error: 'Error PROTOCOL_SEQUENCE_TIMEOUT',
    happened: 'the `timeout` of a query ran out',
    verdict: 'retry overload failure',
    provoke: () =>
      withMysql(
        () => undefined,
        (settings) => thrownBy(query(settings, { timeout: 100 })),
      ),
  },
  {
    client,
    error: 'Error',
    happened: 'a query on a connection that was lost before',
    verdict: 'retry overload failure',
    provoke: () =>
      withMysql(
        (connection) => connection.stream.end(),
        async (settings) => {
          const connection = await mysql.createConnection(settings);
          connection.on('error', () => undefined);
          await thrownBy(connection.query('SELECT 1'));
          return thrownBy(connection.query('SELECT 1')).finally(() => connection.destroy());
        },
      ),
  },
  {
    client,
    error: 'Error',
    happened: 'the pool has no connection left, and may not queue',
    verdict: 'retry overload failure',
    provoke: () =>
      withMysql(
        () => undefined,
        async (settings) => {
          const pool = mysql.createPool({
            ...settings,
            connectionLimit: 1,
            waitForConnections: false,
          });
          await pool.getConnection();
          const error = await thrownBy(pool.query('SELECT 1'));
          pool.pool.on('error', () => undefined);
          return error;
        },
      ),
  },
  {
    client,
    error: 'Error ECONNREFUSED',
    happened: 'the connection is refused',
    verdict: 'retry overload failure',
    provoke: async () =>
      thrownBy(mysql.createConnection({ host: '127.0.0.1', port: await closedPort() })),
  },
  {
    client,
    error: 'Error ETIMEDOUT',
    happened: '`connectTimeout` ran out',
    verdict: 'retry overload failure',
    provoke: () =>
      withTcp(
        () => undefined,
        (port) =>
          thrownBy(mysql.createConnection({ host: '127.0.0.1', port, connectTimeout: 100 })),
      ),
  },
];

import type { Socket } from 'node:net';
import { BSON, MongoClient, type MongoClientOptions } from 'mongodb';
import { closedPort, type ErrorCase, thrownBy, withTcp } from '../case.ts';

type Reply = object | 'hang up' | 'silent';

const HELLO = {
  ok: 1,
  helloOk: true,
  isWritablePrimary: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 25,
  logicalSessionTimeoutMinutes: 30,
  readOnly: false,
};

/** A server that speaks the wire protocol of MongoDB, and answers every insert so. */
function serve(reply: Reply): (socket: Socket) => void {
  return (socket) => {
    let pending = Buffer.alloc(0);
    socket.on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 16 && pending.length >= pending.readInt32LE(0)) {
        const size = pending.readInt32LE(0);
        answer(socket, pending.subarray(0, size), reply);
        pending = pending.subarray(size);
      }
    });
  };
}

function answer(socket: Socket, message: Buffer, reply: Reply): void {
  const id = message.readInt32LE(4);
  const legacy = message.readInt32LE(12) === 2004;
  const command = legacy ? { hello: 1 } : BSON.deserialize(message.subarray(21));
  const greeting = 'hello' in command || 'ismaster' in command || 'endSessions' in command;
  const said =
    greeting || 'commitTransaction' in command || 'abortTransaction' in command ? HELLO : reply;
  if (said === 'silent') return;
  if (said === 'hang up') {
    socket.destroy();
    return;
  }
  const body = BSON.serialize(said as object);
  const head = Buffer.alloc(legacy ? 36 : 21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(id, 8);
  head.writeInt32LE(legacy ? 1 : 2013, 12);
  if (legacy) {
    head.writeInt32LE(8, 16);
    head.writeInt32LE(1, 32);
  }
  socket.write(Buffer.concat([head, body]));
}

async function insertAt(port: number, options: MongoClientOptions = {}): Promise<unknown> {
  const mongo = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 300,
    retryWrites: false,
    ...options,
  });
  try {
    return await thrownBy(mongo.db('d').collection('c').insertOne({ n: 1 }));
  } finally {
    await mongo.close(true);
  }
}

const insert = (reply: Reply, options?: MongoClientOptions): Promise<unknown> =>
  withTcp(serve(reply), (port) => insertAt(port, options));

const refusal = (code: number, codeName: string, ...errorLabels: string[]): object => ({
  ok: 0,
  errmsg: 'no',
  code,
  codeName,
  ...(errorLabels.length === 0 ? {} : { errorLabels }),
});

const client = 'mongodb';

const refused = (
  code: number,
  codeName: string,
  happened: string,
  verdict: ErrorCase['verdict'],
  ...labels: string[]
): ErrorCase => ({
  client,
  error: `MongoServerError ${code}`,
  happened: `${happened} (${[codeName, ...labels].join(', ')})`,
  verdict,
  provoke: () => insert(refusal(code, codeName, ...labels)),
});

export const mongodbCases: readonly ErrorCase[] = [
  refused(
    10107,
    'NotWritablePrimary',
    'the server is no primary any more',
    'retry overload failure',
    'RetryableWriteError',
  ),
  refused(
    189,
    'PrimarySteppedDown',
    'the primary steps down',
    'retry overload failure',
    'RetryableWriteError',
  ),
  refused(91, 'ShutdownInProgress', 'the server shuts down', 'retry overload failure'),
  refused(
    112,
    'WriteConflict',
    'another transaction has changed the document',
    'retry failure',
    'TransientTransactionError',
  ),
  refused(
    462,
    'IngressRequestRateLimitExceeded',
    'the server is overloaded',
    'retry overload failure',
    'SystemOverloadedError',
    'RetryableError',
  ),
  refused(50, 'MaxTimeMSExpired', '`maxTimeMS` ran out', 'retry overload failure'),
  refused(13, 'Unauthorized', 'the user may not do this', 'mistake'),
  refused(2, 'BadValue', 'an argument is wrong', 'mistake'),
  refused(121, 'DocumentValidationFailure', 'the document breaks the schema', 'mistake'),
  refused(8000, 'AtlasError', 'an error that only the server knows', 'failure'),
  {
    client,
    error: 'MongoServerError 11000',
    happened: 'a unique key is violated',
    verdict: 'mistake',
    provoke: () =>
      insert({ ok: 1, n: 0, writeErrors: [{ index: 0, code: 11000, errmsg: 'E11000 duplicate' }] }),
  },
  {
    client,
    error: 'MongoServerError 112',
    happened: 'a write conflict, from a server that gives no label and no name',
    verdict: 'retry failure',
    provoke: () => insert({ ok: 0, code: 112, errmsg: 'WriteConflict' }),
  },
  {
    client,
    error: 'MongoNetworkError',
    happened: 'the connection breaks in the middle of a command',
    verdict: 'retry overload failure',
    provoke: () => insert('hang up'),
  },
  {
    client,
    error: 'MongoNetworkTimeoutError',
    happened: '`socketTimeoutMS` ran out',
    verdict: 'retry overload failure',
    provoke: () => insert('silent', { socketTimeoutMS: 100 }),
  },
  {
    client,
    error: 'MongoServerSelectionError',
    happened: 'no server can be reached',
    verdict: 'retry overload failure',
    provoke: async () => insertAt(await closedPort()),
  },
  {
    client,
    error: 'MongoWaitQueueTimeoutError',
    happened: 'the pool has no connection left',
    verdict: 'retry overload failure',
    provoke: () =>
      withTcp(serve('silent'), async (port) => {
        const mongo = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
          maxPoolSize: 1,
          waitQueueTimeoutMS: 100,
        });
        await mongo.connect();
        const things = mongo.db('d').collection('c');
        const first = thrownBy(things.insertOne({ n: 1 }));
        const error = await thrownBy(things.insertOne({ n: 2 }));
        await mongo.close(true);
        await first;
        return error;
      }),
  },
  {
    client,
    error: 'MongoInvalidArgumentError',
    happened: 'an argument that the driver refuses',
    verdict: 'mistake',
    provoke: () =>
      withTcp(serve(HELLO), async (port) => {
        const mongo = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`);
        const error = await thrownBy(mongo.db('d').collection('c').insertMany([]));
        await mongo.close();
        return error;
      }),
  },
];

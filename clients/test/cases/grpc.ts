import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { closedPort, type ErrorCase, withTcp } from '../case.ts';

const PATH = '/temper.Test/Call';
const asIs = (bytes: Buffer): Buffer => bytes;
const method: MethodDefinition<Buffer, Buffer> = {
  path: PATH,
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

type Handler = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;

interface CallSettings {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly maxReceive?: number;
}

function callAt(port: number, { deadlineMs, signal, maxReceive }: CallSettings = {}) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    ...(maxReceive === undefined ? {} : { 'grpc.max_receive_message_length': maxReceive }),
  });
  return new Promise<unknown>((resolve) => {
    const call = client.makeUnaryRequest(
      PATH,
      asIs,
      asIs,
      Buffer.from('x'),
      deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      (error: ServiceError | null) => resolve(error),
    );
    signal?.addEventListener('abort', () => call.cancel());
  }).finally(() => client.close());
}

async function withGrpc(handler: Handler, settings?: CallSettings): Promise<unknown> {
  const server = new Server();
  server.addService({ call: method }, { call: handler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  try {
    return await callAt(port, settings);
  } finally {
    server.forceShutdown();
  }
}

const client = '@grpc/grpc-js';

const answered = (
  code: keyof typeof status,
  happened: string,
  verdict: ErrorCase['verdict'],
  more: Partial<ErrorCase> & { readonly trailers?: Record<string, string> } = {},
): ErrorCase => {
  const { trailers = {}, ...rest } = more;
  const metadata = Metadata.fromHttp2Headers(trailers);
  return {
    client,
    error: `Error ${status[code]} ${code}`,
    happened,
    verdict,
    provoke: () =>
      withGrpc((_call, callback) => callback({ code: status[code], details: 'no', metadata })),
    ...rest,
  };
};

export const grpcCases: readonly ErrorCase[] = [
  answered('INVALID_ARGUMENT', 'the server refuses an argument', 'mistake'),
  answered('NOT_FOUND', 'the server does not have it', 'mistake'),
  answered('ALREADY_EXISTS', 'the server has it already', 'mistake'),
  answered('PERMISSION_DENIED', 'the server forbids it', 'mistake'),
  answered('UNAUTHENTICATED', 'the server wants credentials', 'mistake'),
  answered('FAILED_PRECONDITION', 'the state of the system does not allow it', 'mistake'),
  answered('OUT_OF_RANGE', 'the server has not that many', 'mistake'),
  answered('ABORTED', 'a transaction lost against another', 'retry failure'),
  answered('RESOURCE_EXHAUSTED', 'the server is over its limit', 'retry overload failure'),
  answered(
    'UNAVAILABLE',
    'the server asks to come back in 1500 ms (`grpc-retry-pushback-ms`)',
    'retry overload failure',
    { trailers: { 'grpc-retry-pushback-ms': '1500' }, retryAfterMs: 1500 },
  ),
  answered(
    'UNAVAILABLE',
    'the server asks not to come back (`grpc-retry-pushback-ms` of -1)',
    'failure',
    { trailers: { 'grpc-retry-pushback-ms': '-1' } },
  ),
  answered('INTERNAL', 'the server broke an invariant', 'failure', {
    note: 'Unlike HTTP 500, which anything may answer, this status means a bug; gRPC itself retries only UNAVAILABLE.',
  }),
  answered('UNKNOWN', 'the handler threw an error without a status', 'failure', {
    note: 'What grpc servers make of an exception in a handler: a bug, until somebody says otherwise.',
  }),
  answered('DATA_LOSS', 'the server has lost data', 'failure'),
  answered('CANCELLED', 'the server cancelled the call', 'abort', {
    note: 'It has the same shape as a call cancelled by the client. Policies look at who cancelled first, so that a call nobody cancelled here counts as a failure.',
  }),
  {
    client,
    error: 'Error 12 UNIMPLEMENTED',
    happened: 'the server does not know the method',
    verdict: 'failure',
    provoke: async () => {
      const server = new Server();
      const port = await new Promise<number>((resolve) => {
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, bound) =>
          resolve(bound),
        );
      });
      return callAt(port).finally(() => server.forceShutdown());
    },
  },
  {
    client,
    error: 'Error 4 DEADLINE_EXCEEDED',
    happened: 'the deadline of the call passed',
    verdict: 'retry overload failure',
    provoke: () => withGrpc(() => undefined, { deadlineMs: 150 }),
  },
  {
    client,
    error: 'Error 1 CANCELLED',
    happened: '`call.cancel()` in the client',
    verdict: 'abort',
    provoke: (signal, abort) => withGrpc(abort, { signal }),
  },
  {
    client,
    error: 'Error 14 UNAVAILABLE',
    happened: 'the connection is refused',
    verdict: 'retry overload failure',
    provoke: async () => callAt(await closedPort()),
  },
  {
    client,
    error: 'Error 14 UNAVAILABLE',
    happened: 'the server hangs up',
    verdict: 'retry overload failure',
    provoke: () =>
      withTcp(
        (socket) => socket.destroy(),
        (port) => callAt(port),
      ),
  },
  {
    client,
    error: 'Error 8 RESOURCE_EXHAUSTED',
    happened: 'the answer is larger than `grpc.max_receive_message_length`',
    verdict: 'retry overload failure',
    note: 'The client gives a full server and an answer that is too large the same status. Only the text tells them apart.',
    provoke: () =>
      withGrpc((_call, callback) => callback(null, Buffer.alloc(1000)), { maxReceive: 10 }),
  },
];

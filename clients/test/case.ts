import { createServer, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';

/**
 * How Temper must judge an error, as words:
 *
 * - `retry`: transient, so that a retry or hedge repeats the call by default;
 * - `overload`: a throttle or an adaptive limit counts it;
 * - `failure`: a circuit breaker counts it, and a fallback or cache replaces it;
 * - `mistake`: the caller's own: no policy acts on it;
 * - `abort`: somebody changed their mind.
 */
export type Verdict =
  | 'retry overload failure'
  | 'retry failure'
  | 'overload failure'
  | 'failure'
  | 'mistake'
  | 'abort';

/** An error of a real client library, and how it is had. */
export interface ErrorCase {
  readonly client: string;
  /** What {@link identify} gives for it. */
  readonly error: string;
  readonly happened: string;
  readonly verdict: Verdict;
  /** What the server asked for, in milliseconds, where the client passes it on. */
  readonly retryAfterMs?: number;
  /** Why this verdict, where another could be defended. */
  readonly note?: string;
  /** @returns what the client threw; a value means that it threw nothing */
  readonly provoke: (signal: AbortSignal, abort: () => void) => Promise<unknown>;
}

/** Class or name, code and status of an error: what a reader of a log sees of it. */
export function identify(error: unknown): string {
  if (!(error instanceof Error)) return `no error: ${String(error)}`;
  const { name, code, $metadata } = error as Error & {
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const words = [name === 'Error' ? error.constructor.name : name];
  if (typeof code === 'string' || (typeof code === 'number' && !(error instanceof DOMException))) {
    words.push(String(code));
  }
  // grpc-js says it in the message alone
  const label = /^\d+ ([A-Z_]+): /.exec(error.message)?.[1];
  if (label !== undefined) words.push(label);
  if (status !== undefined) words.push(`HTTP ${status}`);
  return words.join(' ');
}

/** Runs `body` with the address of an HTTP server on the loopback interface. */
export async function withHttp<T>(
  listener: RequestListener,
  body: (url: string, port: number) => Promise<T>,
): Promise<T> {
  const server = createServer(listener);
  try {
    const port = await listen(server);
    return await body(`http://127.0.0.1:${port}`, port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Answers every request so. */
export function answering(
  status: number,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): RequestListener {
  return (request, response) => {
    request.resume().on('end', () => response.writeHead(status, headers).end(body));
  };
}

/** Sends headers and half of a body, and cuts the connection. */
export const cutting: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-length': '100', 'content-type': 'application/json' });
  response.write('{"half":', () => response.socket?.destroy());
};

/** Never answers. */
export const silent: RequestListener = () => undefined;

/** Runs `body` with the port of a TCP server. */
export async function withTcp<T>(
  connected: (socket: Socket) => void,
  body: (port: number) => Promise<T>,
): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    connected(socket);
  });
  try {
    return await body(await listen(server));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function listen(server: Pick<Server, 'listen' | 'address'>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A port that nothing listens on. */
export const closedPort = (): Promise<number> =>
  withTcp(
    () => undefined,
    (port) => Promise.resolve(port),
  );

/** What a promise is rejected with. */
export const thrownBy = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    (value) => ({ threwNothing: value }),
    (error: unknown) => error,
  );

/** What a function throws. */
export async function thrownIn(body: () => unknown): Promise<unknown> {
  return await thrownBy((async () => await body())());
}

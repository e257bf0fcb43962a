import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ask, Contender } from './contenders.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => unknown;

/** A flaky server. */
class Flaky implements Disposable {
  readonly seen: IncomingMessage[] = [];
  readonly #server: Server;

  constructor(...answers: Answer[]) {
    this.#server = createServer((request, response) => {
      this.seen.push(request);
      request.resume().on('end', () => {
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        answer?.(response, request);
      });
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(port, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const TEXT = 'the quick brown fox jumps over the lazy dog';
const whole: Answer = (response) => response.end(TEXT);
const busy: Answer = (response) => response.writeHead(503).end('busy');
const cut: Answer = (response) => response.socket?.destroy();
const hang: Answer = () => undefined;

/** Sends a half of the document, and ends the connection. Knows ranges. */
const half =
  (etag: string): Answer =>
  (response, { headers: { range } }) => {
    const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const rest = TEXT.slice(from);
    response.writeHead(from === 0 ? 200 : 206, {
      etag,
      'content-length': rest.length,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${TEXT.length - 1}/${TEXT.length}` }),
    });
    response.write(rest.slice(0, 20));
    if (from === 0) response.socket?.end();
    else response.end(rest.slice(20));
  };

/** Another version of the document; ranges are cut from it although the tag is another one. */
const changed: Answer = (response, { headers: { range } }) => {
  const text = TEXT.toUpperCase();
  const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  response.writeHead(from === 0 ? 200 : 206, {
    'content-length': text.length - from,
    ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${text.length - 1}/${text.length}` }),
  });
  response.end(text.slice(from));
};

const stall: Answer = (response) => response.writeHead(200, { 'content-length': 99 }).write('the ');

/** Long enough for an answer on a busy machine; what is not over by then waits. */
const PATIENCE_MS = 30_000;
/** Of the clients, where nothing is slow: a busy machine is not to be taken for a slow server. */
const TIMEOUT_MS = 5000;

async function outcome(sent: Promise<string>): Promise<string> {
  const patience = new AbortController();
  const waits = sleep(PATIENCE_MS, 'waits', { signal: patience.signal, ref: false });
  const text = sent.then(
    (body) => (body === TEXT ? 'answer' : `wrong: ${body}`),
    () => 'error',
  );
  const first = await Promise.race([text, waits]);
  patience.abort();
  waits.catch(() => {});
  return first;
}

/** What a client does in a situation, in a word or a number. */
export interface Situation {
  readonly happens: string;
  readonly observe: (contender: Contender) => Promise<string>;
}

/** Asks once, and tells the outcome and how often the server was asked. */
const once =
  (answers: () => Answer[], ask?: Ask) =>
  async ({ make }: Contender): Promise<string> => {
    using server = new Flaky(...answers());
    const url = await server.listen();
    const seen = await outcome(make(TIMEOUT_MS)(url, ask));
    return `${seen} (${server.seen.length})`;
  };

const POST: Ask = { method: 'POST', body: 'x' };

/** The first connection is refused; then the server is there, as when a process is restarted. */
async function lateServer({ make }: Contender): Promise<string> {
  const gone = new Flaky(whole);
  const url = await gone.listen();
  gone[Symbol.dispose]();
  using late = new Flaky(whole);
  const port = Number(new URL(url).port);
  let listening: Promise<unknown> | undefined;
  const onSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    socket.prependOnceListener('error', (error: Error & { port?: number }) => {
      if (error.port === port) listening ??= late.listen(port);
    });
  };
  subscribe('net.client.socket', onSocket);
  try {
    const seen = await outcome(make(TIMEOUT_MS)(url, POST));
    await listening;
    return `${seen} (${late.seen.length})`;
  } finally {
    unsubscribe('net.client.socket', onSocket);
  }
}

/** Calls during the outage. */
const CALLS = 30;

async function outage({ make }: Contender): Promise<string> {
  using server = new Flaky(busy);
  const url = await server.listen();
  const send = make(TIMEOUT_MS);
  for (let call = 0; call < CALLS; call++) await outcome(send(url));
  return (server.seen.length / CALLS).toFixed(1);
}

async function slowReplica({ make }: Contender): Promise<string> {
  using slow = new Flaky(hang);
  using quick = new Flaky(whole);
  const [url, replica] = [await slow.listen(), await quick.listen()];
  return await outcome(make(TIMEOUT_MS, replica)(url));
}

export const SITUATIONS: readonly Situation[] = [
  { happens: 'GET, first answer 503', observe: once(() => [busy, whole]) },
  { happens: 'GET, first connection cut', observe: once(() => [cut, whole]) },
  { happens: 'POST, first answer 503', observe: once(() => [busy, whole], POST) },
  { happens: 'POST, first connection cut', observe: once(() => [cut, whole], POST) },
  {
    happens: 'POST with `Idempotency-Key`, first answer 503',
    observe: once(() => [busy, whole], { ...POST, headers: { 'idempotency-key': 'order-1' } }),
  },
  {
    happens: 'body of a GET cut in the middle, strong ETag, ranges',
    observe: once(() => [half('"1"'), half('"1"')]),
  },
  {
    happens: 'the same, and the document has changed meanwhile',
    observe: once(() => [half('"1"'), changed]),
  },
  { happens: 'body stalls after its beginning', observe: once(() => [stall]) },
  {
    happens: '503 with `Retry-After: 3600`',
    observe: once(() => [(response) => response.writeHead(503, { 'retry-after': '3600' }).end()]),
  },
  { happens: 'POST, nothing listens at first', observe: lateServer },
  {
    happens: 'outage, each of 30 calls answered 503: requests for each call',
    observe: outage,
  },
  { happens: 'the server does not answer, a replica would', observe: slowReplica },
];

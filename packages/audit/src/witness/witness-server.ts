import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { reportCallbackError } from '@temper/core/policy';
import { type WitnessAnswer, WitnessState } from './witness.ts';
import type { WitnessOptions } from './witness-options.ts';

/** Largest body of a request, in bytes: a checkpoint with dozens of signatures, and its proof. */
const MAX_REQUEST_BYTES = 262_144;
/** Longest time in which a request must arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Most connections at a time. */
const MAX_CONNECTIONS = 1_000;

/** A witness with its HTTP server, which is not listening yet. */
export interface WitnessServer extends AsyncDisposable {
  /** A server of `node:http`: call `listen`. */
  readonly server: Server;
  /** The key by which others verify the cosignatures. */
  readonly verifierKey: string;
  /** Stops the server, waits for the requests in progress and releases the directory. */
  close(): Promise<void>;
}

/**
 * Creates a witness for HTTP and locks its directory. It answers `POST /add-checkpoint` (C2SP
 * tlog-witness) and `GET /checkpoint/<SHA-256 of the origin, hexadecimal>`, which returns the last
 * cosigned checkpoint.
 *
 * @throws {TypeError} (as a rejection) if an option is invalid, see {@link WitnessOptions}
 * @throws {AuditLockedError} (as a rejection) if another witness uses the directory
 */
export async function witness(options: WitnessOptions): Promise<WitnessServer> {
  const state = new WitnessState(options);
  await state.open();
  // Loaded here, since a publisher of checkpoints needs no server.
  const { createServer } = process.getBuiltinModule('node:http');
  const server = createServer((request, response) => {
    answer(state, request).then(
      (answered) => send(response, answered),
      (error: unknown) => {
        reportCallbackError('witness', 'directory', error);
        send(response, { status: 500, type: 'text/plain', body: 'The state is unavailable.\n' });
      },
    );
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    await state.close();
  };
  return { server, verifierKey: state.verifierKey, close, [Symbol.asyncDispose]: close };
}

async function answer(state: WitnessState, request: IncomingMessage): Promise<WitnessAnswer> {
  const [path = ''] = (request.url ?? '').split('?');
  const originHash = /\/checkpoint\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (originHash !== undefined && request.method === 'GET') return state.last(originHash);
  if (!path.endsWith('/add-checkpoint')) return refusal(404, 'There is nothing here.');
  if (request.method !== 'POST') return refusal(405, 'Use POST.');
  const body = await bodyOf(request);
  if (body === undefined) return refusal(413, 'The request is too large, or ended early.');
  return state.add(body);
}

/** The body of a request; undefined if it is too large, or the client goes away. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // The connection stays, for the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > MAX_REQUEST_BYTES) return undefined;
      chunks.push(chunk as Buffer);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusal(status: number, message: string): WitnessAnswer {
  return { status, type: 'text/plain', body: `${message}\n` };
}

function send(response: ServerResponse, { status, type, body }: WitnessAnswer): void {
  // A request that was not read to its end cannot be followed by another.
  if (status === 413) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

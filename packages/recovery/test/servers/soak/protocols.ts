import { createConnection } from 'node:net';
import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { isOfUndici7, isOfUndici8 } from '../http2/uncaught.ts';
import { FAULTS } from './faults.ts';
import { FAULTS as HTTP2_FAULTS } from './http2-faults.ts';

/** What the requests of the soak are sent over. */
export interface Protocol {
  readonly library: typeof undici;
  /** The program of the servers. */
  readonly servers: URL;
  /** What the servers do. */
  readonly faults: readonly string[];
  /** Whether requests have bodies. Over HTTP/2 those that are given up may stop the process: `../http2/uploads.ts`. */
  readonly uploads: boolean;
  /** Whether an error is the library's, which throws it where nobody can catch it. */
  readonly throws: (error: Error) => boolean;
  /** How long the client holds what is over, in milliseconds. */
  readonly settleMs: number;
  agent(): undici.Agent;
}

/** As TLS connects when the server has chosen HTTP/2. */
const connect: undici.buildConnector.connector = ({ hostname, port }, callback) => {
  const socket = Object.assign(createConnection(Number(port), hostname), { alpnProtocol: 'h2' });
  socket.once('connect', () => callback(null, socket as never));
  socket.on('error', (error) => callback(error, null));
};

/**
 * Node holds a stream that is destroyed, as all of a session are that dies, until its timeout has run out, and with
 * it what undici 7 has hung on it. By default that is five minutes.
 */
const STREAM_TIMEOUT_MS = 1000;

function overHttp2(library: typeof undici, throws: Protocol['throws']): Protocol {
  return {
    library,
    servers: new URL('./http2-faults.ts', import.meta.url),
    faults: Object.keys(HTTP2_FAULTS),
    uploads: false,
    throws,
    settleMs: STREAM_TIMEOUT_MS + 500,
    agent: () =>
      new library.Agent({
        allowH2: true,
        connect,
        connections: 3,
        pipelining: 100,
        headersTimeout: STREAM_TIMEOUT_MS,
        bodyTimeout: STREAM_TIMEOUT_MS,
      }),
  };
}

export const PROTOCOLS = {
  http1: {
    library: undici,
    servers: new URL('./faults.ts', import.meta.url),
    faults: Object.keys(FAULTS),
    uploads: true,
    throws: () => false,
    settleMs: 0,
    agent: () => new undici.Agent({ connections: 40, connect: { timeout: 200 } }),
  },
  'http2-undici7': overHttp2(undici7 as never as typeof undici, isOfUndici7),
  'http2-undici8': overHttp2(undici, isOfUndici8),
} as const satisfies Record<string, Protocol>;

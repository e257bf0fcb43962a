import { EXCHANGES, http1Load } from './client/http1.ts';
import { http2Load } from './client/http2.ts';
import type { Load, LoadOptions } from './client/tally.ts';
import { webSocketLoad } from './client/web-socket.ts';
import type { Transport } from './frameworks/app.ts';

/** Name of a protocol in the table. */
export type ProtocolName =
  | 'http'
  | 'https'
  | 'h2'
  | 'WebSocket'
  | 'SSE'
  | 'upload'
  | 'long poll'
  | 'pipelined';

/** How clients talk to a service. */
export interface Protocol {
  /** The transport of the service. */
  readonly transport: Transport;
  /** Starts the clients. `secure` says whether they use TLS. */
  load(options: LoadOptions, secure: boolean): Load;
}

const plain = (load: Protocol['load']): Protocol => ({ transport: 'plain', load });

/** Each protocol by its name in the table. */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  http: plain((options, secure) => http1Load(options, EXCHANGES.work, secure)),
  https: {
    transport: 'tls',
    load: (options) => http1Load(options, EXCHANGES.work, true),
  },
  h2: { transport: 'h2', load: http2Load },
  WebSocket: plain(webSocketLoad),
  SSE: plain((options, secure) => http1Load(options, EXCHANGES.events, secure)),
  upload: plain((options, secure) => http1Load(options, EXCHANGES.upload, secure)),
  'long poll': plain((options, secure) => http1Load(options, EXCHANGES.poll, secure)),
  pipelined: plain((options, secure) => http1Load(options, EXCHANGES.pipelined, secure)),
};

/** The columns of the table. */
export const PROTOCOL_NAMES: readonly ProtocolName[] = Object.keys(PROTOCOLS) as ProtocolName[];

/** Every row of the table: a framework, and the protocols that it speaks. */
export const ROWS: Readonly<
  Record<string, { framework: string; fallback?: boolean; lacks: readonly ProtocolName[] }>
> = {
  Node: { framework: 'Node', lacks: [] },
  // Every protocol but h2 over HTTP/1 on the same listener.
  'Node http2, HTTP/1 fallback': { framework: 'Node', fallback: true, lacks: ['http'] },
  Express: { framework: 'Express', lacks: ['h2'] },
  Fastify: { framework: 'Fastify', lacks: [] },
  Hono: { framework: 'Hono', lacks: [] },
  Koa: { framework: 'Koa', lacks: [] },
  Nest: { framework: 'Nest', lacks: ['h2'] },
  'Next, custom server': { framework: 'Next', lacks: ['h2'] },
};

import { EXCHANGES, http1Load } from './client/http1.js';
import { http2Load } from './client/http2.js';
import { webSocketLoad } from './client/web-socket.js';
const plain = (load) => ({ transport: 'plain', load });
/** Each protocol by its name in the table. */
export const PROTOCOLS = {
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
export const PROTOCOL_NAMES = Object.keys(PROTOCOLS);
/** Every row of the table: a framework, and the protocols that it speaks. */
export const ROWS = {
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
//# sourceMappingURL=protocols.js.map
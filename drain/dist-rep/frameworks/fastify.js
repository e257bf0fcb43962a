import { Readable } from 'node:stream';
import fastify, {} from 'fastify';
import { bytesOf, events, poll, work } from '../work.js';
/** Fastify makes its server itself. */
export const withFastify = (transport, certificate) => {
    const https = { ...certificate, allowHTTP1: true };
    const options = transport === 'plain' ? {} : transport === 'tls' ? { https } : { https, http2: true };
    const app = fastify(options);
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.get('/work', work);
    app.get('/poll', poll);
    app.get('/events', (_request, reply) => reply.type('text/event-stream').send(Readable.from(events())));
    app.post('/upload', ({ raw }) => bytesOf(raw));
    return {
        server: app.server,
        target: app,
        listen: () => app.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }),
        close: () => app.close(),
    };
};
//# sourceMappingURL=fastify.js.map
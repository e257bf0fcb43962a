import { Readable } from 'node:stream';
import fastify, { type FastifyInstance } from 'fastify';
import { bytesOf, events, poll, work } from '../work.ts';
import type { Framework, Server } from './app.ts';

/** Fastify makes its server itself. */
export const withFastify: Framework = (transport, certificate) => {
  const https = { ...certificate, allowHTTP1: true };
  const options =
    transport === 'plain' ? {} : transport === 'tls' ? { https } : { https, http2: true };
  const app = fastify(options as object) as unknown as FastifyInstance;
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.get('/work', work);
  app.get('/poll', poll);
  app.get('/events', (_request, reply) =>
    reply.type('text/event-stream').send(Readable.from(events())),
  );
  app.post('/upload', ({ raw }) => bytesOf(raw));
  return {
    server: app.server as Server,
    target: app as { readonly server: Server },
    listen: () => app.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }),
    close: () => app.close(),
  };
};

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import {
  fastifyRateLimit,
  type HttpRateLimitOptions,
  honoRateLimit,
  rateLimitMiddleware,
} from '../../src/http/index.ts';

/** Handles a request that passed; the status is 200 by default. */
export type Handle = (path: string) => Promise<string | readonly [status: number, text: string]>;
/** Starts a server behind one middleware, or two. @returns its address */
export type Serve = (
  options: HttpRateLimitOptions,
  handle: Handle,
  more?: HttpRateLimitOptions,
) => Promise<string>;

const answerOf = async (handle: Handle, path: string): Promise<readonly [number, string]> => {
  const answer = await handle(path);
  return typeof answer === 'string' ? [200, answer] : answer;
};

const closing: (() => Promise<unknown>)[] = [];

/** Ends every server that was started. */
export async function closeServers(): Promise<void> {
  for (const close of closing.splice(0)) await close();
}

function closeLater(server: Server): void {
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
}

const addressOf = (server: Server): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handler);
  closeLater(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return addressOf(server);
}

export const frameworks: [string, Serve][] = [
  [
    'node:http',
    (options, handle, more) => {
      const first = rateLimitMiddleware(options);
      const second = more === undefined ? undefined : rateLimitMiddleware(more);
      return listen((request, response) => {
        const end = async (error?: unknown): Promise<void> => {
          if (error !== undefined) response.writeHead(500).end((error as Error).message);
          else {
            const [status, text] = await answerOf(handle, request.url ?? '');
            response.writeHead(status).end(text);
          }
        };
        first(request, response, (error) => {
          if (error === undefined && second !== undefined) second(request, response, end);
          else void end(error);
        });
      });
    },
  ],
  [
    'Express',
    (options, handle, more) => {
      const app = express();
      app.use(rateLimitMiddleware(options));
      if (more !== undefined) app.use(rateLimitMiddleware(more));
      app.get('/{*path}', async (request, response) => {
        const [status, text] = await answerOf(handle, request.path);
        response.status(status).send(text);
      });
      app.use(((error, _request, response, _next) => {
        response.status(500).send((error as Error).message);
      }) as express.ErrorRequestHandler);
      return listen(app);
    },
  ],
  [
    'Fastify',
    async (options, handle, more) => {
      const app = fastify();
      closing.push(() => app.close());
      await app.register(fastifyRateLimit, options);
      if (more !== undefined) await app.register(fastifyRateLimit, more);
      app.get('*', async (request, reply) => {
        const [status, text] = await answerOf(handle, request.url);
        return reply.code(status).send(text);
      });
      return app.listen({ host: '127.0.0.1', port: 0 });
    },
  ],
  [
    'Hono',
    async (options, handle, more) => {
      const app = new Hono();
      app.use(honoRateLimit(options));
      if (more !== undefined) app.use(honoRateLimit(more));
      app.get('*', async (context) => {
        const [status, text] = await answerOf(handle, context.req.path);
        return text === '' ? new Response(null, { status }) : context.text(text, status as 200);
      });
      app.onError((error, context) => context.text(error.message, 500));
      const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server;
      closeLater(server);
      await once(server, 'listening');
      return addressOf(server);
    },
  ],
];

import { Server } from 'node:net';
import { show } from '@temper/core/policy';

/**
 * What can be registered: a server of `node:http`, `node:https` or `node:http2`, or an app that
 * exposes one as `server` (Fastify, Restify), `listener` (Hapi) or `getHttpServer()` (Nest).
 */
export type ServerTarget =
  | Server
  | { readonly server: Server }
  | { readonly listener: Server }
  | { getHttpServer(): Server };

/**
 * The server of an app, or the server itself.
 *
 * @throws {TypeError} when there is none
 */
export function serverOf(target: unknown): Server {
  if (target instanceof Server) return target;
  const app = (target ?? {}) as Readonly<Record<string, unknown>>;
  for (const server of [app.server, app.listener]) if (server instanceof Server) return server;
  if (typeof app.getHttpServer === 'function') {
    const server: unknown = app.getHttpServer();
    if (server instanceof Server) return server;
  }
  const hint = typeof app.listen === 'function' ? ' Pass what its listen() returns.' : '';
  throw new TypeError(
    `shutdown.server: server must be a server of node:http, node:https or node:http2, got ${show(target)}.${hint}`,
  );
}

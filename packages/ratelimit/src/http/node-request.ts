import type { IncomingMessage } from 'node:http';
import type { RawRequest } from './guard.ts';

/** The part that is read of a request to a Node server, or of what a framework makes of it. */
export interface NodeRequestLike {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly socket: { readonly remoteAddress?: string | undefined };
  /** The client's address by the settings of Express or Fastify. */
  readonly ip?: unknown;
}

/** What the guard has to know about a request to a Node server. */
export function nodeRequest(request: NodeRequestLike): RawRequest {
  const { method = '', url = '', headers, socket, ip } = request;
  return {
    raw: request,
    method,
    url,
    remote: socket.remoteAddress,
    framework: typeof ip === 'string' ? ip : undefined,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

import type { FastifyInstance, HTTPMethods } from 'fastify';
import { Problem } from './problem.ts';

const METHODS: readonly HTTPMethods[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
];

/**
 * Remembers the routes that are added from here on.
 *
 * @returns what is called after the last of them: it answers every other method of their addresses
 * with 405 and the methods that there are
 */
export function methodsNotAllowed(app: FastifyInstance): () => void {
  const known = new Map<string, Set<HTTPMethods>>();
  let finished = false;
  app.addHook('onRoute', ({ url, method }) => {
    if (finished) return;
    const methods = known.get(url) ?? new Set();
    known.set(url, methods);
    for (const one of [method].flat()) methods.add(one as HTTPMethods);
  });
  return () => {
    finished = true;
    for (const [url, methods] of known) {
      const allow = [...methods].sort().join(', ');
      const refuse = (): never => {
        throw new Problem('method-not-allowed', `This address takes ${allow}.`, {
          headers: { allow },
        });
      };
      app.route({
        method: METHODS.filter((method) => !methods.has(method)),
        url,
        exposeHeadRoute: false,
        schema: { hide: true },
        // Before a body is read: there is no use for it.
        onRequest: async () => refuse(),
        handler: refuse,
      });
    }
  };
}

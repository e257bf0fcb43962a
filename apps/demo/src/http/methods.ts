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
 * Records the routes that are added after this call.
 *
 * @returns a function to call after the last route, which adds 405 responses with an `Allow` header
 * for the other methods of each path
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
        throw new Problem('method-not-allowed', `This path allows ${allow}.`, {
          headers: { allow },
        });
      };
      app.route({
        method: METHODS.filter((method) => !methods.has(method)),
        url,
        exposeHeadRoute: false,
        schema: { hide: true },
        // Runs before the body is read, which is not needed.
        onRequest: async () => refuse(),
        handler: refuse,
      });
    }
  };
}

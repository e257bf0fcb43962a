import type { Framework } from './app.ts';

/** Each framework by its name, loaded when it is used. */
export const FRAMEWORKS: Readonly<Record<string, () => Promise<Framework>>> = {
  Node: async () => (await import('./node.ts')).node,
  Express: async () => (await import('./express.ts')).withExpress,
  Fastify: async () => (await import('./fastify.ts')).withFastify,
  Hono: async () => (await import('./hono.ts')).hono,
  Koa: async () => (await import('./koa.ts')).koa,
  Nest: async () => (await import('./nest.ts')).nest,
  Next: async () => (await import('./next.ts')).next,
};

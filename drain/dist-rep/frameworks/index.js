/** Each framework by its name, loaded when it is used. */
export const FRAMEWORKS = {
    Node: async () => (await import('./node.js')).node,
    Express: async () => (await import('./express.js')).withExpress,
    Fastify: async () => (await import('./fastify.js')).withFastify,
    Hono: async () => (await import('./hono.js')).hono,
    Koa: async () => (await import('./koa.js')).koa,
    Nest: async () => (await import('./nest.js')).nest,
    Next: async () => (await import('./next.js')).next,
};
//# sourceMappingURL=index.js.map
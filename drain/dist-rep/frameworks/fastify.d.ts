import type { Framework } from './app.ts';
/** Fastify makes its server itself. */
export declare const withFastify: Framework;
//# sourceMappingURL=fastify.d.ts.map
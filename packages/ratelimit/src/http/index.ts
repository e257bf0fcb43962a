export type { ClientAddressOptions } from './client-address.ts';
export type { ClientRateLimitOptions } from './client-options.ts';
export { type ClientLease, type ClientRateLimit, clientRateLimit } from './client-rate-limit.ts';
export { type ConnectMiddleware, rateLimitMiddleware } from './connect.ts';
export {
  type FastifyLike,
  type FastifyReplyLike,
  type FastifyRequestLike,
  fastifyRateLimit,
} from './fastify.ts';
export {
  type FetchMiddleware,
  type FetchNext,
  type FetchRateLimitOptions,
  fetchRateLimit,
} from './fetch.ts';
export { type GuardAnswer, HttpGuard, type ResponseFields } from './guard.ts';
export {
  type HonoContextLike,
  type HonoMiddleware,
  type HonoRateLimitOptions,
  honoRateLimit,
} from './hono.ts';
export type { HttpLimit, HttpLimiter, HttpRateLimitOptions, HttpRequest } from './options.ts';
export type { Problem, ProblemName } from './problem.ts';
export type { HeadersLike, ResponseLike } from './response-fields.ts';

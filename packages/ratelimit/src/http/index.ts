export { ClientAddress, type ClientAddressOptions } from './client-address.ts';
export {
  CLIENT_DEFAULTS,
  type ClientLease,
  type ClientRateLimit,
  type ClientRateLimitOptions,
  clientRateLimit,
} from './client-rate-limit.ts';
export { type ConnectMiddleware, rateLimitMiddleware } from './connect.ts';
export {
  type FastifyLike,
  type FastifyReplyLike,
  type FastifyRequestLike,
  fastifyRateLimit,
} from './fastify.ts';
export {
  formatRateLimit,
  formatRateLimitPolicy,
  parseRateLimit,
  parseRateLimitPolicy,
  type QuotaPolicy,
  type QuotaUnit,
  type ServiceLimit,
} from './fields.ts';
export { type GuardAnswer, HttpGuard, type ResponseFields } from './guard.ts';
export {
  type HonoContextLike,
  type HonoMiddleware,
  type HonoRateLimitOptions,
  honoRateLimit,
} from './hono.ts';
export type {
  Asked,
  AskedByKey,
  HttpLimit,
  HttpRateLimitOptions,
  HttpRequest,
} from './options.ts';
export { PROBLEM_TYPE, type Problem, type ProblemName, problemOf } from './problem.ts';

export type { RequestLimit, ResponseFields } from './announcement.ts';
export type { ClientAddressOptions } from './client-address.ts';
export type { ClientRateLimitOptions } from './client-options.ts';
export { type ClientLease, type ClientRateLimit, clientRateLimit } from './client-rate-limit.ts';
export { type ConnectMiddleware, rateLimitMiddleware } from './connect.ts';
export type { RefusalResponse } from './custom-response.ts';
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
export { type GuardAnswer, HttpGuard, type RawRequest } from './guard.ts';
export {
  type HonoContextLike,
  type HonoMiddleware,
  type HonoRateLimitOptions,
  honoRateLimit,
} from './hono.ts';
export {
  type NestContextLike,
  type NestGuard,
  type NestRateLimitOptions,
  nestRateLimitGuard,
} from './nest.ts';
export type {
  AnnouncedFields,
  CustomResponse,
  HttpAnswer,
  HttpLimit,
  HttpLimiter,
  HttpRateLimitOptions,
  HttpRefusal,
  HttpRequest,
  ResponseVerdict,
} from './options.ts';
export type { Problem, ProblemName } from './problem.ts';
export type { HeadersLike, ResponseLike } from './response-fields.ts';
export { rateLimitUpgrade, type UpgradeListener } from './upgrade.ts';

export type { HttpCallOptions } from './call-options.ts';
export type {
  Dispatch,
  DispatchController,
  DispatchHandler,
  DispatchHeaders,
  DispatchOptions,
} from './dispatch-types.ts';
export { dispatcherInterceptor, type ResilientInterceptor } from './dispatcher-interceptor.ts';
export { ConnectionLostError, TooManyInFlightError, TruncatedBodyError } from './errors.ts';
export type { HttpStats } from './http-guard.ts';
export {
  type HttpBreakerOptions,
  type HttpHedgeOptions,
  type HttpRequestInfo,
  type HttpResilienceOptions,
  type HttpRetryOptions,
  isFailedResponse,
} from './options.ts';
export {
  type ResilientFetch,
  type ResilientFetchOptions,
  type ResilientRequestInit,
  resilientFetch,
} from './resilient-fetch.ts';

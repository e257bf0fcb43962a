import { ask, reportCallbackError } from '@temper/core/policy';
import type { HealthMonitor } from '../monitor.ts';
import type { HealthReport } from '../report.ts';
import type { HealthStatus } from '../status.ts';
import { healthJson } from './health-json.ts';
import { chooseMediaType } from './media-type.ts';
import type { ProbeKind, ResolvedHandlerOptions } from './options.ts';
import { statusWord, verboseText } from './plain-text.ts';

/** The relevant parts of a request. */
export interface ProbeRequest {
  readonly kind: ProbeKind;
  /** Path and query. */
  readonly url: URL;
  readonly method: string;
  readonly accept: string | null | undefined;
  readonly details: boolean;
  readonly degradedStatus: number;
}

/** The response to a probe. */
export interface ProbeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for HEAD. */
  readonly body: string;
}

/** Headers of every response. */
export const COMMON = {
  // A cached response would not describe the current state.
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

/** The response to other methods than GET and HEAD. */
export const NOT_ALLOWED: ProbeResponse = {
  status: 405,
  headers: { ...COMMON, allow: 'GET, HEAD' },
  body: '',
};

/** The probe that a URL refers to; undefined if it refers to none. */
export function routeOf<R>(
  options: Pick<ResolvedHandlerOptions<R>, 'routes'>,
  target: string,
): { readonly kind: ProbeKind; readonly url: URL } | undefined {
  // The origin is only needed to parse a relative target. An invalid URL refers to no probe.
  const url = URL.parse(target.startsWith('/') ? `http://probe${target}` : target);
  const kind = url === null ? undefined : options.routes.get(url.pathname);
  return url === null || kind === undefined ? undefined : { kind, url };
}

/**
 * Whether the response to this request may contain details. As details may be secret, only the value
 * `true` means yes: a truthy value of another type, such as a user object, does not.
 */
export function detailsFor<R>(
  options: Pick<ResolvedHandlerOptions<R>, 'owner' | 'details'>,
  request: R,
): boolean {
  const { owner, details } = options;
  if (typeof details !== 'function') return details === 'always';
  let isTrue = false;
  const predicate = (each: R): boolean => {
    const answer: unknown = details(each);
    isTrue = answer === true;
    return answer as boolean;
  };
  // `ask` logs a promise and handles its rejection, but takes any other truthy value for yes.
  return ask(owner, 'details', predicate, request) && isTrue;
}

/** Runs the probe and renders its report. */
export async function respond(
  monitor: HealthMonitor,
  request: ProbeRequest,
): Promise<ProbeResponse> {
  const { kind, url, method, details } = request;
  if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED;
  const exclude = details
    ? url.searchParams.getAll('exclude').flatMap((names) => names.split(','))
    : [];
  const report = await monitor[kind]({ exclude });
  const mediaType = chooseMediaType(request.accept);
  const body =
    mediaType === 'text/plain' ? plainText(request, report, exclude) : json(report, details);
  return {
    status: statusCode(report.status, request.degradedStatus),
    headers: {
      ...COMMON,
      'content-type': mediaType === 'text/plain' ? 'text/plain; charset=utf-8' : mediaType,
      'content-length': String(Buffer.byteLength(body)),
      age: String(ageOf(report)),
      vary: 'accept',
    },
    body: method === 'HEAD' ? '' : body,
  };
}

function statusCode(status: HealthStatus, degraded: number): number {
  if (status === 'unhealthy') return 503;
  return status === 'degraded' ? degraded : 200;
}

/** Age of the oldest result that counts, in whole seconds (RFC 9111, section 5.1). */
function ageOf({ checks, excluded }: HealthReport): number {
  const ages = checks
    .filter(({ name }) => !excluded.includes(name))
    .map(({ ageMs = 0 }) => Math.floor(ageMs / 1000));
  return Math.max(0, ...ages);
}

/** If details are allowed, a failure is always verbose, as in the Kubernetes API server. */
function plainText(
  request: ProbeRequest,
  report: HealthReport,
  exclude: readonly string[],
): string {
  const { url, details } = request;
  const verbose = url.searchParams.has('verbose') || report.status === 'unhealthy';
  if (!details || !verbose) return statusWord(report);
  const unmatched = exclude.filter((name) => name !== '' && !report.excluded.includes(name));
  return verboseText(url.pathname.split('/').at(-1) as string, report, unmatched);
}

/** Details are user data: if some cannot be read, the response contains none. */
function json(report: HealthReport, details: boolean): string {
  try {
    return `${JSON.stringify(healthJson(report, details))}\n`;
  } catch (error) {
    reportCallbackError(report.name, 'details', error);
    return json(report, false);
  }
}

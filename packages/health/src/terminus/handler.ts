import { reportCallbackError } from '@temper/core/policy';
import { type NodeHealthHandler, nodeHandler } from '../http/node-handler.ts';
import { checkMonitor, type ProbeKind } from '../http/options.ts';
import { COMMON, detailsFor, NOT_ALLOWED, type ProbeResponse, routeOf } from '../http/response.ts';
import type { HealthMonitor } from '../monitor.ts';
import type { HealthReport } from '../report.ts';
import { terminusBody } from './body.ts';
import {
  type ResolvedTerminusOptions,
  resolveTerminusOptions,
  type TerminusHandlerOptions,
} from './options.ts';

const OWNER = 'terminusHandler';

/**
 * Creates a handler that answers with the status codes and the JSON body of `@godaddy/terminus`. Any
 * other request is passed to `next`, or receives a 404 if there is no `next`.
 *
 * ```ts
 * health.register({ name: 'shop', check: async () => ({ details: await onHealthCheck() }) });
 * const probes = terminusHandler(health, { paths: { readiness: '/healthcheck' }, details: 'always' });
 * ```
 *
 * @throws {TypeError | RangeError} when `monitor` is no health monitor, or an option is unknown or invalid
 */
export function terminusHandler(
  monitor: HealthMonitor,
  options: TerminusHandlerOptions = {},
): NodeHealthHandler {
  checkMonitor(OWNER, monitor);
  const resolved = resolveTerminusOptions(OWNER, options);
  return nodeHandler(OWNER, (request) => {
    const { method = 'GET', url = '/' } = request;
    const route = routeOf(resolved, resolved.caseInsensitive ? url.toLowerCase() : url);
    if (route === undefined) return undefined;
    if (method !== 'GET' && method !== 'HEAD') return Promise.resolve(NOT_ALLOWED);
    return respond(monitor, route.kind, resolved, detailsFor(resolved, request));
  });
}

async function respond(
  monitor: HealthMonitor,
  kind: ProbeKind,
  options: ResolvedTerminusOptions,
  details: boolean,
): Promise<ProbeResponse> {
  const report = await monitor[kind]();
  const body = bodyOf(report, options, details);
  return {
    status: report.status === 'unhealthy' ? options.statusError : options.statusOk,
    headers: {
      ...COMMON,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      ...options.headers,
    },
    // Node sends no body in response to HEAD.
    body,
  };
}

/** Details are user data: if some cannot be read, the response contains none. */
function bodyOf(report: HealthReport, options: ResolvedTerminusOptions, details: boolean): string {
  try {
    return JSON.stringify(terminusBody(report, options, details));
  } catch (error) {
    if (!details) throw error;
    reportCallbackError(report.name, 'details', error);
    return bodyOf(report, options, false);
  }
}

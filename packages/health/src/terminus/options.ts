import { type IncomingMessage, validateHeaderName, validateHeaderValue } from 'node:http';
import { numberRule, type OptionRule, resolveOptions, typeRule } from '@temper/core/policy';
import {
  HANDLER_DEFAULTS,
  HANDLER_RULES,
  type HealthHandlerOptions,
  type HealthPaths,
  type ProbeKind,
  routesOf,
} from '../http/options.ts';

/** Options of {@link terminusHandler}. Names and defaults are those of terminus, but for the first two. */
export interface TerminusHandlerOptions {
  /**
   * Which requests receive the details of the checks; terminus sends them to all. An error and a returned
   * promise are logged and count as `false`.
   *
   * @defaultValue 'never'
   */
  readonly details?: NonNullable<HealthHandlerOptions<IncomingMessage>['details']>;
  /**
   * Paths of the probes, such as `{ readiness: '/healthcheck' }`.
   *
   * @defaultValue { liveness: '/livez', readiness: '/readyz', startup: '/startupz' }
   * @throws {TypeError} at construction, unless the paths start with '/' and are all different
   */
  readonly paths?: HealthPaths;
  /** Whether paths match in upper and lower case. @defaultValue false */
  readonly caseInsensitive?: boolean;
  /** Whether details are in the body itself, instead of in `info` and `details`. @defaultValue false */
  readonly verbatim?: boolean;
  /**
   * Status code of a healthy or degraded service.
   *
   * @defaultValue 200
   * @throws {RangeError} at construction, unless an integer from 200 to 599
   */
  readonly statusOk?: number;
  /** Body of a healthy or degraded service, without details. @defaultValue { status: 'ok' } */
  readonly statusOkResponse?: Readonly<Record<string, unknown>>;
  /**
   * Status code of an unhealthy service.
   *
   * @defaultValue 503
   * @throws {RangeError} at construction, unless an integer from 200 to 599
   */
  readonly statusError?: number;
  /** Body of an unhealthy service, without details. @defaultValue { status: 'error' } */
  readonly statusErrorResponse?: Readonly<Record<string, unknown>>;
  /**
   * Further headers of every response. They replace ours.
   *
   * @defaultValue {}
   * @throws {TypeError} at construction, when a name or a value is none of a header
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Default values. A test compares them with the README. */
export const TERMINUS_DEFAULTS: Required<TerminusHandlerOptions> = {
  details: HANDLER_DEFAULTS.details,
  paths: HANDLER_DEFAULTS.paths,
  caseInsensitive: false,
  verbatim: false,
  statusOk: 200,
  statusOkResponse: { status: 'ok' },
  statusError: 503,
  statusErrorResponse: { status: 'error' },
  headers: {},
};

const statusRule = numberRule({ min: 200, max: 599, integer: true });

const RULES: { readonly [K in keyof TerminusHandlerOptions]-?: OptionRule } = {
  details: HANDLER_RULES.details,
  paths: HANDLER_RULES.paths,
  caseInsensitive: typeRule('boolean'),
  verbatim: typeRule('boolean'),
  statusOk: statusRule,
  statusOkResponse: typeRule('object'),
  statusError: statusRule,
  statusErrorResponse: typeRule('object'),
  headers: typeRule('object'),
};

/** The options after validation. */
export interface ResolvedTerminusOptions extends Required<TerminusHandlerOptions> {
  readonly owner: string;
  /** Maps a path to its probe. */
  readonly routes: ReadonlyMap<string, ProbeKind>;
}

/** Validates the options and fills in the defaults. */
export function resolveTerminusOptions(
  owner: string,
  options: TerminusHandlerOptions,
): ResolvedTerminusOptions {
  const resolved = resolveOptions<TerminusHandlerOptions>(owner, options, TERMINUS_DEFAULTS, RULES);
  const routes = routesOf(owner, resolved.paths, resolved.caseInsensitive);
  return { ...resolved, owner, routes, headers: headersOf(resolved.headers) };
}

/** The headers with names in lower case, by which ours are replaced. */
function headersOf(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]): [string, string] => {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return [name.toLowerCase(), value];
  });
  return Object.fromEntries(entries);
}

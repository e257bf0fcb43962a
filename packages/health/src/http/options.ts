import {
  checkOneOf,
  methodsRule,
  numberRule,
  type OptionRule,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';

/** Paths of the three probes. */
export interface HealthPaths {
  /** @defaultValue '/livez' */
  readonly liveness?: string;
  /** @defaultValue '/readyz' */
  readonly readiness?: string;
  /** @defaultValue '/startupz' */
  readonly startup?: string;
}

/** Kind of a probe. */
export type ProbeKind = keyof HealthPaths;

/** Options of {@link healthHandler} and {@link healthFetch}. */
export interface HealthHandlerOptions<Request> {
  /**
   * Which requests receive more than the status: none, all, or those for which the function returns
   * `true`. Without details `?verbose` and `?exclude=` are ignored, because excluding checks would
   * reveal which one fails. An error and a returned promise are logged and count as `false`.
   *
   * @defaultValue 'never'
   */
  readonly details?: 'never' | 'always' | ((request: Request) => boolean);
  /**
   * Status code of a degraded service. With 200 it keeps its traffic; Consul shows 429 as a warning, a
   * load balancer takes a code from 400 on for unhealthy.
   *
   * @defaultValue 200
   * @throws {RangeError} at construction, unless an integer from 200 to 599
   */
  readonly degradedStatus?: number;
  /**
   * Paths of the probes.
   *
   * @defaultValue { liveness: '/livez', readiness: '/readyz', startup: '/startupz' }
   * @throws {TypeError} at construction, unless the paths start with '/' and are all different
   */
  readonly paths?: HealthPaths;
}

/** Default values. A test compares them with the README. */
export const HANDLER_DEFAULTS: {
  readonly details: 'never';
  readonly degradedStatus: 200;
  readonly paths: Required<HealthPaths>;
} = {
  details: 'never',
  degradedStatus: 200,
  paths: { liveness: '/livez', readiness: '/readyz', startup: '/startupz' },
};

/** The options after validation. */
export interface ResolvedHandlerOptions<Request> {
  /** The factory that received the options, for messages. */
  readonly owner: string;
  readonly details: NonNullable<HealthHandlerOptions<Request>['details']>;
  readonly degradedStatus: number;
  /** Maps a path to its probe. */
  readonly routes: ReadonlyMap<string, ProbeKind>;
}

/** Rules of {@link HealthHandlerOptions}. */
export const HANDLER_RULES: {
  readonly [K in keyof HealthHandlerOptions<never>]-?: OptionRule;
} = {
  details: (owner, option, value) => {
    if (typeof value !== 'function') checkOneOf(owner, option, value, ['never', 'always']);
  },
  degradedStatus: numberRule({ min: 200, max: 599, integer: true }),
  paths: typeRule('object'),
};

const isPath: OptionRule = (owner, option, value) => {
  if (typeof value !== 'string' || !value.startsWith('/') || /[?#]/.test(value)) {
    throw new TypeError(
      `${owner}.${option} must be a path that starts with '/', got ${show(value)}.`,
    );
  }
};
const PATH_RULES: { readonly [K in ProbeKind]: OptionRule } = {
  liveness: isPath,
  readiness: isPath,
  startup: isPath,
};

const monitorRule = methodsRule('liveness', 'readiness', 'startup');

/** @throws {TypeError} unless the value has the probes of a health monitor */
export function checkMonitor(owner: string, monitor: unknown): void {
  monitorRule(owner, 'monitor', monitor);
}

/** Validates the options and fills in the defaults. */
export function resolveHandlerOptions<Request>(
  owner: string,
  options: HealthHandlerOptions<Request>,
): ResolvedHandlerOptions<Request> {
  const {
    details,
    degradedStatus,
    paths: given,
  } = resolveOptions<HealthHandlerOptions<Request>>(
    owner,
    options,
    HANDLER_DEFAULTS,
    HANDLER_RULES,
  );
  return { owner, details, degradedStatus, routes: routesOf(owner, given) };
}

/**
 * Maps each path to its probe.
 *
 * @throws {TypeError} when a path does not start with '/', or two are the same
 */
export function routesOf(
  owner: string,
  given: HealthPaths,
  ignoreCase = false,
): Map<string, ProbeKind> {
  const paths = resolveOptions(`${owner}: paths`, given, HANDLER_DEFAULTS.paths, PATH_RULES);
  const routes = new Map<string, ProbeKind>();
  for (const [kind, path] of Object.entries(paths)) {
    const key = ignoreCase ? path.toLowerCase() : path;
    if (routes.has(key)) {
      throw new TypeError(`${owner}: paths must be different, got ${show(path)} twice.`);
    }
    routes.set(key, kind as ProbeKind);
  }
  return routes;
}

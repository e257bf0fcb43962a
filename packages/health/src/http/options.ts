import { checkKnown, checkOneOf, show } from '@temper/core';

/** Where the three probes are found. */
export interface HealthPaths {
  /** @defaultValue '/livez' */
  readonly liveness?: string;
  /** @defaultValue '/readyz' */
  readonly readiness?: string;
  /** @defaultValue '/startupz' */
  readonly startup?: string;
}

/** Which question a request asks. */
export type ProbeKind = keyof HealthPaths;

/** Options of {@link healthHandler} and {@link healthFetch}. */
export interface HealthHandlerOptions<Request> {
  /**
   * Who sees more than the status: nobody, everybody, or those whose request you let. Without details
   * `?verbose` and `?exclude=` are ignored, as the second would tell which check fails.
   * A function that throws has said no.
   *
   * @defaultValue 'never'
   */
  readonly details?: 'never' | 'always' | ((request: Request) => boolean);
  /** @defaultValue { liveness: '/livez', readiness: '/readyz', startup: '/startupz' } */
  readonly paths?: HealthPaths;
}

/** The defaults, as the README's table shows them. */
export const HANDLER_DEFAULTS: {
  readonly details: 'never';
  readonly paths: Required<HealthPaths>;
} = {
  details: 'never',
  paths: { liveness: '/livez', readiness: '/readyz', startup: '/startupz' },
};

/** The options when they have been checked. */
export interface ResolvedHandlerOptions<Request> {
  readonly details: NonNullable<HealthHandlerOptions<Request>['details']>;
  /** From path to question. */
  readonly routes: ReadonlyMap<string, ProbeKind>;
}

/** Holds the options to their ranges and fills in the defaults. */
export function resolveHandlerOptions<Request>(
  owner: string,
  options: HealthHandlerOptions<Request>,
): ResolvedHandlerOptions<Request> {
  checkKnown(owner, options, Object.keys(HANDLER_DEFAULTS));
  const details = options.details ?? HANDLER_DEFAULTS.details;
  if (typeof details !== 'function') checkOneOf(owner, 'details', details, ['never', 'always']);
  const given = options.paths ?? {};
  checkKnown(`${owner}: paths`, given, Object.keys(HANDLER_DEFAULTS.paths));
  const paths = { ...HANDLER_DEFAULTS.paths, ...given };
  const routes = new Map<string, ProbeKind>();
  for (const [kind, path] of Object.entries(paths)) {
    if (typeof path !== 'string' || !path.startsWith('/') || /[?#]/.test(path)) {
      throw new TypeError(`${owner}: paths.${kind} must be a path from '/', got ${show(path)}.`);
    }
    if (routes.has(path))
      throw new TypeError(`${owner}: paths must differ, got ${show(path)} twice.`);
    routes.set(path, kind as ProbeKind);
  }
  return { details, routes };
}

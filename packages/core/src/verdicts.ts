/** What kind of trouble an error is. */
export type ErrorCategory =
  | 'validation'
  | 'network'
  | 'timeout'
  | 'resource'
  | 'internal'
  | 'unknown';

/** How bad it is. */
export type ErrorSeverity = 'low' | 'medium' | 'high' | 'critical';

/** The verdict of {@link classify}. */
export interface Classification {
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
  /** Whether the same call may well succeed a little later. */
  readonly transient: boolean;
}

const of = (
  category: ErrorCategory,
  severity: ErrorSeverity,
  transient = false,
): Classification => ({ category, severity, transient });

/** Of an error that no rule knows. */
export const UNKNOWN: Classification = of('unknown', 'medium');
export const NETWORK: Classification = of('network', 'high', true);
/** Certificates and protocols: it stays so until somebody changes the setup. */
export const NETWORK_SETUP: Classification = of('network', 'high');
export const TOO_EARLY: Classification = of('network', 'low', true);
export const TIMEOUT: Classification = of('timeout', 'medium', true);
export const BUSY: Classification = of('resource', 'high', true);
export const LIMITED: Classification = of('resource', 'medium', true);
export const EXHAUSTED: Classification = of('resource', 'critical');
export const MISSING: Classification = of('resource', 'medium');
export const FORBIDDEN: Classification = of('resource', 'high');

const DENIAL: unique symbol = Symbol.for('temper.denied.1');

/** HTTP 401 and 403 and their like: the caller's own mistake, which the category does not tell. */
export const DENIED: Classification = /* @__PURE__ */ Object.defineProperty(
  of('resource', 'high'),
  DENIAL,
  { value: true },
);

/** Whether this is {@link DENIED}, of any installed copy of core. */
export function isDenied(verdict: Classification): boolean {
  return (verdict as { readonly [DENIAL]?: unknown })[DENIAL] === true;
}
export const INVALID: Classification = of('validation', 'medium');
/** HTTP 4xx. */
export const REFUSED: Classification = of('validation', 'low');
export const BUG: Classification = of('internal', 'high');
/** A bad answer of the dependency, such as HTML where JSON was expected. */
export const GARBAGE: Classification = of('internal', 'medium');
/** HTTP 5xx. */
export const BROKEN: Classification = of('internal', 'high', true);
/** Lost against another transaction: worth a retry, and no sign of too much load. */
export const CONFLICT: Classification = of('internal', 'medium', true);
/** An abort, unless a timeout is behind it: nothing is wrong and nothing should be tried again. */
export const CANCELLED: Classification = of('unknown', 'low');

import { checkKnown, checkName, checkNumber, checkOneOf, checkType, show } from '@temper/core';
import type { FlappingRule } from './flapping.ts';
import type { CheckReturn } from './outcome.ts';
import type { HealthStatus } from './status.ts';

/** Checks in this group decide whether the process should be restarted. */
export const LIVENESS = 'liveness';
/** Checks in this group decide whether the service receives traffic. The default group. */
export const READINESS = 'readiness';
/** Checks in this group must pass once before the service counts as started. */
export const STARTUP = 'startup';

/** The groups with a meaning to the monitor, and any other name. */
export type CheckGroup =
  | typeof LIVENESS
  | typeof READINESS
  | typeof STARTUP
  // Keeps the literals in the completion list of an editor.
  | (string & Record<never, never>);

/** Argument of a check function. */
export interface CheckContext {
  /** Name of the check. */
  readonly name: string;
  /** Aborts at the timeout of the probe. A later result is ignored. */
  readonly signal: AbortSignal;
}

/** A health check. */
export interface HealthCheck {
  /** Unique within the monitor. An attribute of metrics, so keep its cardinality low. */
  readonly name: string;
  /**
   * Probes once, called as a method of the check object. Nothing or `true` means healthy, `false` means
   * a failure; a status and a {@link CheckResult} are used as they are. An error that is thrown, a
   * promise that rejects, any other value and a timeout are failures.
   */
  readonly check: (context: CheckContext) => CheckReturn | PromiseLike<CheckReturn>;
  /**
   * Time limit of one probe, in milliseconds. A probe that exceeds it fails, and the check is not
   * probed again until it settles.
   *
   * @defaultValue the monitor's `timeoutMs`
   * @throws {RangeError} at registration, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * How long a result is cached, in milliseconds.
   *
   * @defaultValue the monitor's `ttlMs`
   * @throws {RangeError} at registration, unless >= 0
   */
  readonly ttlMs?: number;
  /**
   * Interval of background probes, in milliseconds; `Infinity` disables them. While background probes
   * run, requests are answered from their results.
   *
   * @defaultValue the monitor's `refreshMs`
   * @throws {RangeError} at registration, unless > 0
   */
  readonly refreshMs?: number;
  /**
   * Groups of the check: `liveness`, `readiness`, `startup`, or your own names.
   *
   * @defaultValue ['readiness']
   * @throws {TypeError} at registration, if a {@link dependency} is in the group `liveness`
   */
  readonly groups?: readonly CheckGroup[];
  /**
   * Whether an unhealthy check makes the report unhealthy. If `false`, the report is at most degraded.
   *
   * @defaultValue true
   */
  readonly critical?: boolean;
  /**
   * Status when the check throws, exceeds its time limit or returns `false`.
   *
   * @defaultValue 'unhealthy'
   */
  readonly failureStatus?: Exclude<HealthStatus, 'healthy'>;
  /**
   * How many of the last probes must fail before the status changes.
   *
   * @defaultValue { failures: 1, of: 1 }
   * @throws {RangeError} at registration, unless integers with 1 <= failures <= of <= 100
   */
  readonly flapping?: FlappingRule;
  /**
   * Whether the check tests something outside of this process. Such a check is rejected in the group
   * `liveness`, because restarting this process does not repair a dependency.
   *
   * @defaultValue false
   */
  readonly dependency?: boolean;
  /** `componentType` in `health+json`. @defaultValue 'component' */
  readonly componentType?: string;
  /**
   * Releases resources, called as a method when the check is unregistered or the monitor is disposed.
   * An error is logged; a returned promise is not awaited.
   *
   * @defaultValue none
   */
  readonly dispose?: () => void;
}

/** A check with all defaults filled in. */
export type ResolvedCheck = Required<Omit<HealthCheck, 'dispose'>> & {
  readonly dispose: (() => void) | undefined;
};

/** Default values of a check that do not come from its monitor. A test compares them with the README. */
export const CHECK_DEFAULTS: {
  readonly groups: readonly [typeof READINESS];
  readonly critical: true;
  readonly failureStatus: 'unhealthy';
  readonly flapping: { readonly failures: 1; readonly of: 1 };
  readonly dependency: false;
  readonly componentType: 'component';
} = {
  groups: [READINESS],
  critical: true,
  failureStatus: 'unhealthy',
  flapping: { failures: 1, of: 1 },
  dependency: false,
  componentType: 'component',
};

const KNOWN = [
  ...Object.keys(CHECK_DEFAULTS),
  'name',
  'check',
  'timeoutMs',
  'ttlMs',
  'refreshMs',
  'dispose',
];

/** Validates a check and fills in the defaults. */
export function resolveCheck(
  check: HealthCheck,
  monitor: { readonly timeoutMs: number; readonly ttlMs: number; readonly refreshMs: number },
): ResolvedCheck {
  checkKnown('health check', check, KNOWN);
  const name = checkName('health check', check.name);
  const owner = `health check '${name}'`;
  checkType(owner, 'check', check.check, 'function');
  const { timeoutMs, ttlMs, refreshMs } = monitor;
  if (check.dispose !== undefined) checkType(owner, 'dispose', check.dispose, 'function');
  const all: ResolvedCheck = {
    name,
    // Called as methods, so that they may use `this`.
    check: (context) => check.check(context),
    dispose: check.dispose === undefined ? undefined : () => check.dispose?.(),
    timeoutMs: check.timeoutMs ?? timeoutMs,
    ttlMs: check.ttlMs ?? ttlMs,
    refreshMs: check.refreshMs ?? refreshMs,
    groups: check.groups ?? CHECK_DEFAULTS.groups,
    critical: check.critical ?? CHECK_DEFAULTS.critical,
    failureStatus: check.failureStatus ?? CHECK_DEFAULTS.failureStatus,
    flapping: check.flapping ?? CHECK_DEFAULTS.flapping,
    dependency: check.dependency ?? CHECK_DEFAULTS.dependency,
    componentType: check.componentType ?? CHECK_DEFAULTS.componentType,
  };
  checkNumber(owner, 'timeoutMs', all.timeoutMs, { min: 0, aboveMin: true, infinite: false });
  checkNumber(owner, 'ttlMs', all.ttlMs, { min: 0 });
  checkNumber(owner, 'refreshMs', all.refreshMs, { min: 0, aboveMin: true });
  checkGroups(owner, all);
  checkType(owner, 'critical', all.critical, 'boolean');
  checkOneOf(owner, 'failureStatus', all.failureStatus, ['degraded', 'unhealthy']);
  checkKnown(`${owner}: flapping`, all.flapping, ['failures', 'of']);
  checkNumber(owner, 'flapping.of', all.flapping.of, { min: 1, max: 100, integer: true });
  checkNumber(owner, 'flapping.failures', all.flapping.failures, {
    min: 1,
    max: all.flapping.of,
    integer: true,
  });
  checkType(owner, 'dependency', all.dependency, 'boolean');
  checkType(owner, 'componentType', all.componentType, 'string');
  return all;
}

function checkGroups(owner: string, { groups, dependency }: ResolvedCheck): void {
  const valid =
    Array.isArray(groups) && groups.every((group) => typeof group === 'string' && group !== '');
  if (!valid) {
    throw new TypeError(`${owner}: groups must be an array of names, got ${show(groups)}.`);
  }
  if (dependency && groups.includes(LIVENESS)) {
    throw new TypeError(
      `${owner}: groups must not include '${LIVENESS}' for a dependency, because restarting this process does not repair it.`,
    );
  }
}

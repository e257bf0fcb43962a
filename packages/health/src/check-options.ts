import { checkKnown, checkName, checkNumber, checkOneOf, checkType, show } from '@temper/core';
import type { FlappingRule } from './flapping.ts';
import type { CheckReturn } from './outcome.ts';
import type { HealthStatus } from './status.ts';

/** Checks of this group decide whether the process lives. Nothing outside of the process belongs here. */
export const LIVENESS = 'liveness';
/** Checks of this group decide whether the service takes traffic. Where checks go by default. */
export const READINESS = 'readiness';
/** Checks of this group must have passed once before the service counts as started. */
export const STARTUP = 'startup';

/** What a check is given. */
export interface CheckContext {
  /** The check's own name. */
  readonly name: string;
  /** Aborts when the probe's time is up. What goes on after that is dropped. */
  readonly signal: AbortSignal;
}

/** One thing to look at. */
export interface HealthCheck {
  /** Unique within the monitor; labels reports and metrics, so of low cardinality. */
  readonly name: string;
  /**
   * Looks, and says what it saw: nothing or `true` is healthy, `false` is a failure, or a status, or
   * a {@link CheckResult}. What it throws is a failure.
   */
  readonly check: (context: CheckContext) => CheckReturn | PromiseLike<CheckReturn>;
  /**
   * Longest time for one probe, in milliseconds. Past it the probe is a failure; as long as it has
   * not settled, it is not started again.
   *
   * @defaultValue the monitor's
   * @throws {RangeError} at registration, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * How long a result is given out again, in milliseconds.
   *
   * @defaultValue the monitor's
   * @throws {RangeError} at registration, unless >= 0
   */
  readonly ttlMs?: number;
  /**
   * Time between background probes, in milliseconds; `Infinity` for none. While the monitor
   * refreshes in the background, requests are answered from what it found.
   *
   * @defaultValue the monitor's
   * @throws {RangeError} at registration, unless > 0
   */
  readonly refreshMs?: number;
  /**
   * Which questions the check answers: `liveness`, `readiness`, `startup`, and names of your own.
   *
   * @defaultValue ['readiness']
   * @throws {TypeError} at registration, for a {@link dependency} in `liveness`
   */
  readonly groups?: readonly string[];
  /**
   * Whether its failure makes the whole unhealthy. If not, it counts for degraded at most.
   *
   * @defaultValue true
   */
  readonly critical?: boolean;
  /**
   * What it means that the check throws, hangs or returns `false`.
   *
   * @defaultValue 'unhealthy'
   */
  readonly failureStatus?: Exclude<HealthStatus, 'healthy'>;
  /**
   * How many of the last probes must be bad before that counts.
   *
   * @defaultValue { failures: 1, of: 1 }
   * @throws {RangeError} at registration, unless 1 <= failures <= of <= 100, integers
   */
  readonly flapping?: FlappingRule;
  /**
   * Whether the check looks at something outside of this process. Such a check is refused in the
   * group `liveness`: a restart does not mend somebody else's outage.
   *
   * @defaultValue false
   */
  readonly dependency?: boolean;
  /** `componentType` in `health+json`. @defaultValue 'component' */
  readonly componentType?: string;
  /** Called when the check is taken out, to let go of what it holds. @defaultValue none */
  readonly dispose?: () => void;
}

/** A check with everything filled in. */
export type ResolvedCheck = Required<Omit<HealthCheck, 'dispose'>> & {
  readonly dispose: (() => void) | undefined;
};

/** The defaults of a check that do not come from its monitor, as the README's table shows them. */
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

/** Holds a check to its ranges and fills in the defaults. */
export function resolveCheck(
  check: HealthCheck,
  monitor: { readonly timeoutMs: number; readonly ttlMs: number; readonly refreshMs: number },
): ResolvedCheck {
  checkKnown('health check', check, KNOWN);
  const name = checkName('health check', check.name);
  const owner = `health check '${name}'`;
  checkType(owner, 'check', check.check, 'function');
  const { timeoutMs, ttlMs, refreshMs } = monitor;
  const all: ResolvedCheck = {
    name,
    check: check.check,
    dispose: check.dispose,
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
  if (all.dispose !== undefined) checkType(owner, 'dispose', all.dispose, 'function');
  return all;
}

function checkGroups(owner: string, { groups, dependency }: ResolvedCheck): void {
  const fine = Array.isArray(groups) && groups.every((group) => typeof group === 'string' && group);
  if (!fine)
    throw new TypeError(`${owner}: groups must be an array of names, got ${show(groups)}.`);
  if (dependency && groups.includes(LIVENESS)) {
    throw new TypeError(
      `${owner}: groups must not hold '${LIVENESS}' for a dependency: restarting this process would not mend it.`,
    );
  }
}

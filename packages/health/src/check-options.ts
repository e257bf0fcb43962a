import {
  checkKnown,
  checkName,
  checkNumber,
  checkType,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';
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

/** The time limits of probes, which a monitor and a check may set. */
export const TIME_RULES: {
  readonly timeoutMs: OptionRule;
  readonly ttlMs: OptionRule;
  readonly refreshMs: OptionRule;
} = {
  timeoutMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
  ttlMs: numberRule({ min: 0 }),
  refreshMs: numberRule({ min: 0, aboveMin: true }),
};

/** What each option of a check must be. The built-in checks accept some of them. */
export const CHECK_RULES: { readonly [K in keyof HealthCheck]-?: OptionRule } = {
  name: nameRule,
  check: typeRule('function'),
  ...TIME_RULES,
  groups: (owner, option, value) => {
    if (Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== ''))
      return;
    throw new TypeError(`${owner}: ${option} must be an array of names, got ${show(value)}.`);
  },
  critical: typeRule('boolean'),
  failureStatus: oneOfRule(['degraded', 'unhealthy']),
  flapping: (owner, option, value) => {
    checkKnown(`${owner}: ${option}`, value, ['failures', 'of']);
    const { failures, of } = value as FlappingRule;
    const max = checkNumber(owner, `${option}.of`, of, { min: 1, max: 100, integer: true });
    checkNumber(owner, `${option}.failures`, failures, { min: 1, max, integer: true });
  },
  dependency: typeRule('boolean'),
  componentType: typeRule('string'),
  dispose: typeRule('function'),
};
const OPTIONS = Object.keys(CHECK_RULES) as readonly (keyof HealthCheck)[];

/** Validates a check and fills in the defaults. */
export function resolveCheck(
  check: HealthCheck,
  monitor: { readonly timeoutMs: number; readonly ttlMs: number; readonly refreshMs: number },
): ResolvedCheck {
  checkKnown('health check', check, OPTIONS);
  const name = checkName('health check', check.name);
  const owner = `health check '${name}'`;
  checkType(owner, 'check', check.check, 'function');
  // A check may be an instance of a class, whose methods and getters are not properties of its own.
  const given = Object.fromEntries(OPTIONS.map((option) => [option, check[option]]));
  const { timeoutMs, ttlMs, refreshMs } = monitor;
  const resolved = resolveOptions<HealthCheck, 'dispose'>(
    owner,
    given as unknown as HealthCheck,
    { ...CHECK_DEFAULTS, name, timeoutMs, ttlMs, refreshMs, check: check.check },
    CHECK_RULES,
  );
  if (resolved.dependency && resolved.groups.includes(LIVENESS)) {
    throw new TypeError(
      `${owner}: groups must not include '${LIVENESS}' for a dependency, because restarting this process does not repair it.`,
    );
  }
  return {
    ...resolved,
    // Called as methods, so that they may use `this`.
    check: (context) => check.check(context),
    dispose: resolved.dispose === undefined ? undefined : () => check.dispose?.(),
  };
}

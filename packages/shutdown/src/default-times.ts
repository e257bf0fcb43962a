/** The times of a shutdown, in milliseconds. */
export interface ShutdownTimes {
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly flushTimeoutMs: number;
}

/**
 * Whether the process runs on a developer's machine, where no load balancer needs time: `NODE_ENV` is
 * `development`, or `node --watch` has started it.
 */
export function isDevelopment(env: NodeJS.ProcessEnv): boolean {
  return env.NODE_ENV === 'development' || env.WATCH_REPORT_DEPENDENCIES !== undefined;
}

/** Time for the phases, in milliseconds, when only the delay is given and exceeds the default limit. */
const PHASES_MS = 10_000;

/**
 * Completes the given times with defaults that fit them.
 *
 * - `delayMs` and `flushTimeoutMs`, where they are not given, together take at most half of the time
 *   that the given ones leave. The other half is for the phases.
 * - `timeoutMs`, if it is not given, leaves the phases at least 10 s when the default would leave none.
 */
export function fitTimes(given: Partial<ShutdownTimes>, defaults: ShutdownTimes): ShutdownTimes {
  const fixedMs = (given.delayMs ?? 0) + (given.flushTimeoutMs ?? 0);
  const flexibleMs =
    (given.delayMs === undefined ? defaults.delayMs : 0) +
    (given.flushTimeoutMs === undefined ? defaults.flushTimeoutMs : 0);
  const timeoutMs =
    given.timeoutMs ??
    (fixedMs + flexibleMs < defaults.timeoutMs
      ? defaults.timeoutMs
      : fixedMs + flexibleMs + PHASES_MS);
  const halfMs = Math.max(0, timeoutMs - fixedMs) / 2;
  // Without a given timeoutMs the defaults fit already.
  const scale = given.timeoutMs === undefined ? 1 : Math.min(1, halfMs / flexibleMs || 0);
  return {
    timeoutMs,
    delayMs: given.delayMs ?? defaults.delayMs * scale,
    flushTimeoutMs: given.flushTimeoutMs ?? defaults.flushTimeoutMs * scale,
  };
}

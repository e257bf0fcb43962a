import { availableParallelism } from 'node:os';
import { HARDENING_DEFAULTS, type HardeningOverrides } from '@temper/parsercraft-handlers';

/** Compilations at the same time: one per core, and at least two, so that one client never has all. */
const COMPILERS = Math.min(8, Math.max(2, availableParallelism()));
/** Protocol checks at the same time. */
const CHECKERS = 1;

/** Answers to editors at the same time while the language server is away. */
export const EDITORS = 1;

/** Processes that work on programs: one for each call that is let through. */
export const WORKERS: number = COMPILERS + CHECKERS + EDITORS;

/** What one job may use: time in milliseconds from its start, and heap of its process in mebibytes. */
export const WORK_BUDGET = { timeMs: 3_000, memoryMb: 128 } as const;

/** The largest part of each limit, and of the calls at the same time, that one client may use. */
const SHARE = 0.5;
/** Calls of one client that may wait for a subsystem. */
const MAX_QUEUE = 100;

/**
 * The demo's changes to the default settings. Circuits stay open short enough to watch an outage: that of
 * the registry for 3 s instead of 120 s, the others for 5 s instead of 60 s, and that of the language server,
 * which is restarted in less, for 1 s instead of 10 s. Limits are shared by strangers.
 */
export const DEMO_SETTINGS: HardeningOverrides = {
  breakers: {
    registry_fetch: { openDurationMs: 3_000 },
    ast_codegen: { openDurationMs: 5_000 },
    protocol_check: { openDurationMs: 5_000 },
    lsp_operation: { failureThreshold: 3, openDurationMs: 1_000 },
  },
  limiters: {
    ast_analysis: { share: SHARE },
    registry_query: { share: SHARE },
    lsp_requests: { share: SHARE },
  },
  // #region bulkheads
  bulkheads: {
    ast: { limit: COMPILERS, share: SHARE, maxQueue: MAX_QUEUE },
    protocols: { limit: CHECKERS, share: SHARE, maxQueue: MAX_QUEUE },
    // It answers one request after the other: what waits there waits in no fair order.
    registry: { limit: 8, share: SHARE, maxQueue: MAX_QUEUE },
    // The server works on one request at a time; the next one is on its way meanwhile.
    lsp: { limit: 2, share: SHARE, maxQueue: MAX_QUEUE },
  },
  // #endregion
};

/**
 * Times of the shutdown, in milliseconds: how long the service keeps serving after it reports not ready, so
 * that load balancers notice, and the limit of the whole.
 */
export const SHUTDOWN_TIMES = { delayMs: 500, timeoutMs: 25_000 } as const;

/** The rate limit of one HTTP client: requests per minute, and the burst. */
export const CLIENT_LIMIT = { limit: 1_200, windowMs: 60_000, burst: 80 } as const;

/** A setting that differs from its default. */
export interface ChangedSetting {
  readonly setting: string;
  readonly value: number;
  /** The default value. */
  readonly defaultValue: number;
}

/** Lists the settings that differ from the defaults, so that the demo can disclose them. */
export function changedSettings(overrides: HardeningOverrides): readonly ChangedSetting[] {
  const changes: ChangedSetting[] = [];
  const walk = (given: object, defaults: object, path: string): void => {
    for (const [key, value] of Object.entries(given)) {
      const usual = (defaults as Record<string, unknown>)[key];
      const setting = path === '' ? key : `${path}.${key}`;
      if (typeof value === 'object' && value !== null && typeof usual === 'object') {
        walk(value, usual as object, setting);
      } else if (typeof value === 'number' && typeof usual === 'number' && value !== usual) {
        changes.push({ setting, value, defaultValue: usual });
      }
    }
  };
  walk(overrides, HARDENING_DEFAULTS, '');
  return changes;
}

/** Merges two sets of overrides; values of `over` win. */
export function mergeSettings(
  base: HardeningOverrides,
  over: HardeningOverrides,
): HardeningOverrides {
  const merge = (one: unknown, other: unknown): unknown => {
    if (!isRecord(one) || !isRecord(other)) return other ?? one;
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return Object.fromEntries([...keys].map((key) => [key, merge(one[key], other[key])]));
  };
  return merge(base, over) as HardeningOverrides;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

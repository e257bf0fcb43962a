import { type Clock, systemClock, type TelemetryScope } from '@temper/core';
import {
  clockRule,
  type Defaults,
  methodsRule,
  numberRule,
  type Resolved,
  resolveOptions,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { CursorStore } from './cursor.ts';
import type { ShipError } from './ship-error.ts';

/** Options of {@link ship}. */
export interface ShipOptions {
  /** Where it is kept what the target has stored: `fileCursor`, one for each log and target. */
  readonly cursor: CursorStore;
  /**
   * Most events of a batch.
   *
   * @defaultValue 500
   * @throws {RangeError} at construction, unless an integer from 1 to 100_000
   */
  readonly batchEvents?: number;
  /**
   * Size at which a batch is sent, in bytes of its lines. One event may be larger.
   *
   * @defaultValue 524_288
   * @throws {RangeError} at construction, unless an integer from 1 to 67_108_864
   */
  readonly batchBytes?: number;
  /**
   * Time after which the log is read again once everything is shipped, in milliseconds.
   *
   * @defaultValue 1_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly pollMs?: number;
  /**
   * Longest duration of sending one batch, in milliseconds.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly timeoutMs?: number;
  /**
   * Time after the first failure; it doubles with each further one in a row, up to {@link maxRetryMs}.
   *
   * @defaultValue 1_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly retryMs?: number;
  /**
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly maxRetryMs?: number;
  /** Called with each failure. What it throws or rejects with is logged. */
  readonly onError?: (error: ShipError) => unknown;
  /**
   * Where the telemetry of the shipping goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'cursor' | 'onError' | 'telemetry';

/** Checked {@link ShipOptions} with defaults applied. */
export type ResolvedShipOptions = Resolved<ShipOptions, Unset> & Pick<ShipOptions, 'cursor'>;

/** The defaults of {@link ShipOptions}, as the README's table shows them. */
export const SHIP_DEFAULTS: Omit<Defaults<ShipOptions, Unset>, 'clock'> = {
  batchEvents: 500,
  batchBytes: 524_288,
  pollMs: 1_000,
  timeoutMs: 30_000,
  retryMs: 1_000,
  maxRetryMs: 60_000,
};

const OWNER = 'ship';

/** @throws {TypeError | RangeError} if an option is invalid, see {@link ShipOptions} */
export function resolveShipOptions(options: ShipOptions): ResolvedShipOptions {
  const cursorRule = methodsRule('read', 'write');
  const time = numberRule({ min: 1, infinite: false });
  const all = resolveOptions<ShipOptions, Unset>(
    OWNER,
    options,
    { ...SHIP_DEFAULTS, clock: systemClock },
    {
      cursor: cursorRule,
      batchEvents: numberRule({ min: 1, max: 100_000, integer: true }),
      batchBytes: numberRule({ min: 1, max: 67_108_864, integer: true }),
      pollMs: time,
      timeoutMs: time,
      retryMs: time,
      maxRetryMs: time,
      onError: typeRule('function'),
      clock: clockRule,
      telemetry: telemetryRule,
    },
  );
  cursorRule(OWNER, 'cursor', all.cursor);
  return all as ResolvedShipOptions;
}

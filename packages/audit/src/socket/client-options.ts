import { type Clock, systemClock, type TelemetryScope } from '@temper/core';
import {
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  telemetryRule,
} from '@temper/core/policy';
import { socketPathRule } from './socket-path.ts';

/** Options of {@link socketLog}. */
export interface SocketLogOptions {
  /** Path of the socket that `serveLog` was given. */
  readonly path: string;
  /**
   * Name in errors and metrics.
   *
   * @defaultValue 'audit'
   */
  readonly name?: string;
  /**
   * Behaviour when the server cannot be reached, or its log is unavailable. `refuse`: `append` rejects with
   * `AuditUnavailableError`. `degrade`: `append` resolves with an event that has the sequence 0 and none of
   * the caller's data but its words, and the event is held in memory, counted and sent later.
   *
   * @defaultValue 'refuse'
   */
  readonly whenUnavailable?: 'refuse' | 'degrade';
  /**
   * Maximum number of pending events of `record`. They are held while the server cannot be reached. Further
   * events are dropped and counted, and the log records how many.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly queueLimit?: number;
  /**
   * Maximum number of events held with `degrade`. Further events are dropped and counted.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly holdLimit?: number;
  /**
   * Longest time that a call waits for its acknowledgement, in milliseconds. An event that was sent before
   * the connection broke is sent again during this time. Also how long `close` tries to have events stored.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly timeoutMs?: number;
  /**
   * Shortest time between two attempts to reach a server, or a log, that has failed, in milliseconds.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly retryMs?: number;
  /**
   * The user that the server runs as. The socket must belong to this user or to root.
   *
   * @defaultValue the user of this process
   * @throws {RangeError} at construction, unless an integer >= 0
   */
  readonly serverUid?: number;
  /**
   * Where the telemetry goes; see `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'path' | 'serverUid' | 'telemetry';

/** The defaults of {@link SocketLogOptions}, as the README's table shows them. */
export const CLIENT_DEFAULTS: Omit<Defaults<SocketLogOptions, Unset>, 'clock'> = {
  name: 'audit',
  whenUnavailable: 'refuse',
  queueLimit: 10_000,
  holdLimit: 10_000,
  timeoutMs: 10_000,
  retryMs: 250,
};

/** Checked {@link SocketLogOptions} with defaults applied. */
export type ResolvedClientOptions = Resolved<SocketLogOptions, Unset> & { readonly path: string };

const OWNER = 'socketLog';

export function resolveClientOptions(options: SocketLogOptions): ResolvedClientOptions {
  const limit = numberRule({ min: 1, integer: true, infinite: false });
  const all = resolveOptions<SocketLogOptions, Unset>(
    OWNER,
    options,
    { ...CLIENT_DEFAULTS, clock: systemClock },
    {
      path: socketPathRule,
      name: nameRule,
      whenUnavailable: oneOfRule(['refuse', 'degrade']),
      queueLimit: limit,
      holdLimit: limit,
      timeoutMs: numberRule({ min: 1 }),
      retryMs: numberRule({ min: 1, infinite: false }),
      serverUid: numberRule({ min: 0, integer: true }),
      telemetry: telemetryRule,
      clock: clockRule,
    },
  );
  if (all.path === undefined) socketPathRule(OWNER, 'path', all.path);
  return all as ResolvedClientOptions;
}

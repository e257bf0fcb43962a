import type { TelemetryScope } from '@temper/core';
import { nameRule, resolveOptions, telemetryRule, typeRule } from '@temper/core/policy';
import { collectsRecords, emitLogRecord } from '../telemetry.ts';
import type { ShipTarget } from './ship-target.ts';

/** Options of {@link otlpLogs}. */
export interface OtlpLogsOptions {
  /**
   * Exports what was emitted and rejects if that fails: `() => loggerProvider.forceFlush()`. The logs API
   * itself has no acknowledgement, so without it a lost record would count as shipped.
   */
  readonly flush: () => Promise<unknown>;
  /** @defaultValue 'otlp' */
  readonly name?: string;
  /** Name of the log in the records. @defaultValue 'audit' */
  readonly log?: string;
  /**
   * Whose logger provider gets the records; see `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered provider
   */
  readonly telemetry?: TelemetryScope;
}

/**
 * A target that emits each event as a log record through OpenTelemetry's logs API, to be exported by the
 * registered logger provider, over OTLP for example. Keep `batchEvents` below the queue of its processor
 * (2048 by default), which drops what it cannot hold.
 *
 * @throws {TypeError} if an option is invalid
 */
export function otlpLogs(options: OtlpLogsOptions): ShipTarget {
  const flushRule = typeRule('function');
  const { flush, name, log, telemetry } = resolveOptions<OtlpLogsOptions, 'flush' | 'telemetry'>(
    'otlpLogs',
    options,
    { name: 'otlp', log: 'audit' },
    { flush: flushRule, name: nameRule, log: nameRule, telemetry: telemetryRule },
  );
  flushRule('otlpLogs', 'flush', flush);
  return {
    name,
    async send(batch) {
      if (!collectsRecords(telemetry)) {
        throw new Error('no OpenTelemetry logger provider is registered');
      }
      for (const { event, line } of batch) {
        emitLogRecord({ event, line, traceFlags: 0 }, log, telemetry);
      }
      await (flush as () => Promise<unknown>)();
    },
  };
}

import type { TelemetryScope } from '@temper/core';
import { nameRule, resolveOptions, telemetryRule } from '@temper/core/policy';
import { EMPTY_HEAD, type SealedEvent } from '../../chain/hash-chain.ts';
import { emitLogRecord } from '../../telemetry.ts';
import type { AuditSink, SinkState } from '../sink.ts';

/** Options of {@link otelLogsSink}. */
export interface OtelLogsSinkOptions {
  /** @defaultValue 'otel' */
  readonly name?: string;
  /**
   * Whose logger provider gets the records; see `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered provider
   */
  readonly telemetry?: TelemetryScope;
}

/**
 * Creates a sink that emits every event to OpenTelemetry's logs API, as a log record in the context of
 * its span. The registered logger provider exports the records. The sink is not durable and does not
 * count towards the rule beside a durable sink.
 */
export function otelLogsSink(options: OtelLogsSinkOptions = {}): AuditSink {
  const { name, telemetry } = resolveOptions<OtelLogsSinkOptions, 'telemetry'>(
    'otelLogsSink',
    options,
    { name: 'otel' },
    { name: nameRule, telemetry: telemetryRule },
  );
  return new OtelLogsSink(name, telemetry);
}

class OtelLogsSink implements AuditSink {
  readonly name: string;
  readonly durable = false;
  readonly #telemetry: TelemetryScope | undefined;
  #log = 'audit';

  constructor(name: string, telemetry: TelemetryScope | undefined) {
    this.name = name;
    this.#telemetry = telemetry;
  }

  async open(log: string): Promise<SinkState> {
    this.#log = log;
    return { head: EMPTY_HEAD };
  }

  async write(batch: readonly SealedEvent[]): Promise<void> {
    for (const sealed of batch) emitLogRecord(sealed, this.#log, this.#telemetry);
  }

  async close(): Promise<void> {}
}

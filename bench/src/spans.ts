import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BatchSpanProcessor, type Sampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { retry } from '@temper/retry';
import { answer } from './retry-floor.ts';
import { floorRow } from './telemetry-rows.ts';
import type { Bench } from './types.ts';

/** Registers the trace SDK with a batch processor whose exporter drops everything. */
export function spanRows(group: string, sampler: Sampler): Bench[] {
  const exporter = {
    export: (_: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
    shutdown: async () => {},
    forceFlush: async () => {},
  };
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(
    new TracerProvider({ sampler, spanProcessors: [new BatchSpanProcessor({ exporter })] }),
  );
  const tracer = trace.getTracer('bench');
  const all = retry({ name: 'all', spans: 'all' });
  const failures = retry({ name: 'failures', spans: 'failures' });
  const none = retry({ name: 'none', spans: 'none' });
  return [
    floorRow(group),
    {
      group,
      name: 'OpenTelemetry: active span',
      fn: () =>
        tracer.startActiveSpan('work', async (span) => {
          const value = await answer();
          span.end();
          return value;
        }),
    },
    { group, name: 'temper: retry, spans of all', fn: () => all.execute(answer) },
    { group, name: 'temper: retry, spans of failures', fn: () => failures.execute(answer) },
    { group, name: 'temper: retry, no spans', fn: () => none.execute(answer) },
  ];
}

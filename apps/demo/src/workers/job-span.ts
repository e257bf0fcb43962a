import { type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorType } from '@temper/core/policy';
import type { JobKind } from './jobs.ts';

/** The span of a job, from the wait for a worker to its result. The worker itself has no telemetry. */
export interface JobSpan {
  /** A worker has the job. */
  begins(): void;
}

/** Runs a job in a span. The messages of its errors are in the spans around it. */
export function jobSpan<T>(kind: JobKind, work: (span: JobSpan) => Promise<T>): Promise<T> {
  const attributes = { 'parsercraft.job': kind };
  const tracer = trace.getTracer('@temper/demo');
  return tracer.startActiveSpan('toolchain job', { attributes }, async (span: Span) => {
    try {
      return await work({ begins: () => void span.addEvent('worker assigned') });
    } catch (error) {
      span.setAttribute('error.type', errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

// A program for the Jaeger suite that makes one call of each kind, each in its own root span.
import { trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { circuitBreaker } from '@temper/breaker';
import { hedge, pipeline } from '@temper/recovery';
import { retry } from '@temper/retry';

const sdk = new NodeSDK({ metricReaders: [], logRecordProcessors: [] });
sdk.start();
const tracer = trace.getTracer('traced-calls');

/** Runs `work` in a root span of this name, by which the test finds the trace. */
const called = (name: string, work: () => Promise<unknown>): Promise<void> =>
  tracer.startActiveSpan(name, async (span) => {
    await work().catch(() => undefined);
    span.end();
  });

const refused = (): Error => Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });

await called('saved call', () =>
  retry({ name: 'saved', initialDelayMs: 5, spans: 'all' }).execute(({ attempt }) => {
    if (attempt < 3) throw refused();
    return 'the answer';
  }),
);

await called('exhausted call', () =>
  retry({ name: 'exhausted', initialDelayMs: 5, maxAttempts: 2, spans: 'all' }).execute(() => {
    throw refused();
  }),
);

const breaker = circuitBreaker({ name: 'rejecting', failureThreshold: 1, spans: 'all' });
await breaker.tryExecute(() => {
  throw refused();
});
await called('rejected call', () =>
  pipeline({ name: 'guarded' }, retry({ name: 'around', spans: 'all' }), breaker).execute(
    () => 'never made',
  ),
);

await called('hedged call', () =>
  hedge({ name: 'hedged', delayMs: 20 }).execute(
    ({ attempt, signal }) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve(attempt), attempt === 1 ? 5000 : 20);
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
      }),
  ),
);

await sdk.shutdown();

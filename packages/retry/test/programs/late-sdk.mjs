// Makes calls first, and only then starts OpenTelemetry's Node SDK, as many a service does.
import { retry } from '@temper/retry';

const policy = retry({ name: 'early', initialDelayMs: 1, jitter: 'none' });
const refused = () =>
  Promise.reject(Object.assign(new Error('no route'), { code: 'ECONNREFUSED' }));
let calls = 0;
await policy.execute(() => (++calls < 3 ? refused() : 'done'));
await policy.tryExecute(refused);

const { NodeSDK } = await import('@opentelemetry/sdk-node');
const { MetricReader } = await import('@opentelemetry/sdk-metrics');

class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}
const reader = new Reader();
const sdk = new NodeSDK({ metricReaders: [reader], traceExporter: undefined, spanProcessors: [] });
sdk.start();
await policy.execute(() => 'done');

const { resourceMetrics } = await reader.collect();
const found = {};
for (const { metrics } of resourceMetrics.scopeMetrics) {
  for (const { descriptor, dataPoints } of metrics) {
    if (!descriptor.name.startsWith('temper.') || descriptor.name.endsWith('.duration')) continue;
    for (const { attributes, value } of dataPoints) {
      const labels = [attributes['temper.outcome'], attributes['error.type']].filter(Boolean);
      if (value > 0) found[`${descriptor.name} ${labels.join(' ')}`] = value;
    }
  }
}
await sdk.shutdown();
console.log(JSON.stringify(found));

// Makes calls with OpenTelemetry's Node SDK started before the package is loaded (`sdk.mjs first`), or
// only after calls were made (`sdk.mjs last`), as many a service does.
const first = process.argv[2] === 'first';
const refused = () =>
  Promise.reject(Object.assign(new Error('no route'), { code: 'ECONNREFUSED' }));

async function start() {
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const { MetricReader } = await import('@opentelemetry/sdk-metrics');
  class Reader extends MetricReader {
    async onForceFlush() {}
    async onShutdown() {}
  }
  const reader = new Reader();
  const sdk = new NodeSDK({ metricReaders: [reader], spanProcessors: [] });
  sdk.start();
  return { reader, sdk };
}

async function call(retry) {
  const policy = retry({ name: 'called', initialDelayMs: 1, jitter: 'none' });
  let calls = 0;
  await policy.execute(() => (++calls < 3 ? refused() : 'done'));
  await policy.tryExecute(refused);
  return policy;
}

let started = first ? await start() : undefined;
const { retry } = await import('@temper/retry');
const policy = await call(retry);
started ??= await start();
await policy.execute(() => 'done');

const { resourceMetrics } = await started.reader.collect();
const found = {};
for (const { metrics } of resourceMetrics.scopeMetrics) {
  for (const { descriptor, dataPoints } of metrics) {
    if (!/^temper\.retry\.(operations|attempts)$/.test(descriptor.name)) continue;
    for (const { attributes, value } of dataPoints) {
      const labels = [attributes['temper.outcome'], attributes['error.type']].filter(Boolean);
      if (value > 0) found[`${descriptor.name} ${labels.join(' ')}`] = value;
    }
  }
}
await started.sdk.shutdown();
console.log(JSON.stringify(found));

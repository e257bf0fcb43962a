/**
 * Releases of OpenTelemetry's SDK, with what their packages are called in each. `experimental` is the
 * version of the packages that are not stable yet.
 */
export const SDKS = [
  { name: 'SDK 1.15', api: '1.4.1', stable: '1.15.2', experimental: '0.41.2', node: '0.41.2' },
  { name: 'SDK 1.30', api: '1.8.0', stable: '1.30.1', experimental: '0.57.2', node: '0.57.2' },
  { name: 'SDK 1.30', api: '1.9.1', stable: '1.30.1', experimental: '0.57.2', node: '0.57.2' },
  { name: 'SDK 2.0', api: '1.9.0', stable: '2.0.0', experimental: '0.200.0', node: '0.200.0' },
  { name: 'SDK 2.12', api: '1.9.1', stable: '2.12.1', experimental: '0.223.1', node: '0.223.0' },
  { name: 'SDK 3.1', api: '1.10.0', stable: '3.1.1', experimental: '0.301.1', node: '0.301.0' },
];

/** Whether it has `metricReaders`, and options in place of an exporter. Both came with a minor version. */
const takesReaders = ({ stable }) => !/^(1\.|2\.0\.)/.test(stable);
/** Before, a reader that was shut down did not export once more. */
const flushesAtEnd = ({ stable }) => stable !== '1.15.2';

/** Specs of the packages of a Node SDK that exports all signals. */
export function nodeSdkPackages({ api, stable, experimental, node }) {
  const logs = stable.startsWith('3') ? stable : experimental;
  return [
    `@opentelemetry/api@${api}`,
    `@opentelemetry/sdk-node@${node}`,
    `@opentelemetry/sdk-metrics@${stable}`,
    `@opentelemetry/sdk-logs@${logs}`,
    `@opentelemetry/exporter-trace-otlp-http@${node}`,
    `@opentelemetry/exporter-metrics-otlp-http@${node}`,
    `@opentelemetry/exporter-logs-otlp-http@${node}`,
  ];
}

/**
 * A module that makes a Node SDK, not started yet, whose exporters send to `OTLP` in the environment.
 *
 * @param extra - more fields of its configuration, as source text
 */
export function nodeSdkModule(sdk, extra = '') {
  const processor = takesReaders(sdk) ? '{ exporter: logExporter }' : 'logExporter';
  return `import * as traces from '@opentelemetry/exporter-trace-otlp-http';
import * as metrics from '@opentelemetry/exporter-metrics-otlp-http';
import * as logs from '@opentelemetry/exporter-logs-otlp-http';
import * as sdkLogs from '@opentelemetry/sdk-logs';
import * as sdkMetrics from '@opentelemetry/sdk-metrics';
import * as node from '@opentelemetry/sdk-node';

const url = (signal) => ({ url: process.env.OTLP + '/v1/' + signal });

/** Waits until the metrics have been exported. */
export const exported = () => new Promise((resolve) => setTimeout(resolve, ${flushesAtEnd(sdk) ? 0 : 700}));

export function makeSdk(metricProducers = []) {
  const logExporter = new logs.OTLPLogExporter(url('logs'));
  const processor = new sdkLogs.BatchLogRecordProcessor(${processor});
  const reader = new sdkMetrics.PeriodicExportingMetricReader({
    exporter: new metrics.OTLPMetricExporter(url('metrics')),
    exportIntervalMillis: ${flushesAtEnd(sdk) ? 60_000 : 200},
    exportTimeoutMillis: ${flushesAtEnd(sdk) ? 10_000 : 200},
    metricProducers,
  });
  return new node.NodeSDK({
    serviceName: 'compat',
    autoDetectResources: false,
    traceExporter: new traces.OTLPTraceExporter(url('traces')),
    ${takesReaders(sdk) ? 'metricReaders: [reader], logRecordProcessors: [processor]' : 'metricReader: reader, logRecordProcessor: processor, logRecordProcessors: [processor]'},
    ${extra}
  });
}
`;
}

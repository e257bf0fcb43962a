import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { Hosts } from '../http/hosts.ts';

/** The HTTP endpoint that Prometheus scrapes. */
export interface MetricsEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves the exporter's metrics from a separate server. Unlike the exporter's own server, it reports
 * its address, supports port 0 and closes keep-alive connections when it is closed.
 *
 * @param allowedHosts - host names that requests may have besides those of this machine
 * @throws the system error when the address is not available
 */
export async function serveMetrics(
  exporter: PrometheusExporter,
  address: { readonly host: string; readonly port: number },
  allowedHosts: readonly string[],
): Promise<MetricsEndpoint> {
  const hosts = new Hosts([address.host, ...allowedHosts]);
  const server = createServer((request, response) => {
    const verdict = hosts.judge(request.rawHeaders);
    if (verdict !== 'accepted') {
      response.writeHead(verdict === 'unknown' ? 421 : 400).end();
      return;
    }
    const path = request.url?.split('?')[0];
    if (path !== '/metrics') response.writeHead(404).end();
    else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else exporter.getMetricsRequestHandler(request, response);
  });
  await listen(server, address);
  // The metrics server must not keep the process alive.
  server.unref();
  const { address: host, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${host}]` : host}:${port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

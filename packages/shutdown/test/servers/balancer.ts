import http, { type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface Backend {
  readonly port: number;
  readonly agent: http.Agent;
  /** Whether the backend receives requests. */
  inRotation: boolean;
}

/** Options of {@link Balancer}. */
export interface BalancerOptions {
  /** Time between two probes of a backend's `/readyz`, in milliseconds. */
  readonly probeMs: number;
  /** Time from a failed probe until no more requests are sent, in milliseconds. */
  readonly lagMs: number;
}

/**
 * A proxy like those in front of Kubernetes pods: sends requests round robin to the backends that were
 * ready at the last update, over pooled keep-alive connections, and notices late that a backend stops.
 * It never retries: a failed request is an error for the client and is counted.
 */
export class Balancer {
  readonly server: Server;
  readonly errors: string[] = [];
  readonly #options: BalancerOptions;
  readonly #backends = new Set<Backend>();
  #next = 0;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.server = http.createServer((request, response) => this.#forward(request, response));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', 1024, resolve));
    return (this.server.address() as AddressInfo).port;
  }

  /** Adds a backend and probes it until it is gone. */
  add(port: number): void {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
    const backend = { port, agent, inRotation: true };
    this.#backends.add(backend);
    void this.#watch(backend);
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
    for (const { agent } of this.#backends) agent.destroy();
    this.#backends.clear();
  }

  async #watch(backend: Backend): Promise<void> {
    while (this.#backends.has(backend) && (await isReady(backend.port))) {
      await sleep(this.#options.probeMs);
    }
    await sleep(this.#options.lagMs);
    backend.inRotation = false;
  }

  #forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    const rotation = [...this.#backends].filter(({ inRotation }) => inRotation);
    const backend = rotation[this.#next++ % rotation.length];
    const fail = (error: unknown): void => {
      this.errors.push(String(error));
      response.writeHead(502).end();
    };
    if (backend === undefined) {
      fail('no backend');
      return;
    }
    const { port, agent } = backend;
    const options = { host: '127.0.0.1', port, agent, path: request.url, method: request.method };
    const forwarded = http.request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
      answer.on('error', fail);
    });
    forwarded.on('error', fail);
    request.pipe(forwarded);
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = http.get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    probe.on('error', () => resolve(false));
  });
}

import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface HttpQuestion {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly durationMs: number;
}

/** Default timeout for a complete response, in milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * A plain HTTP client with keep-alive connections. It sends requests that a browser or `fetch` would
 * reject, and never retries.
 */
export class HttpCaller implements Disposable {
  readonly #base: URL;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor(url: string, maxSockets = 64, timeoutMs: number = TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
    this.#base = new URL(url);
    this.#agent = new Agent({ keepAlive: true, maxSockets });
  }

  /** @throws the connection's error when there is no complete response */
  call({ method = 'GET', path, headers = {}, body }: HttpQuestion): Promise<HttpAnswer> {
    const startedAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const sent = request(
      {
        host: this.#base.hostname,
        port: this.#base.port,
        agent: this.#agent,
        method,
        path,
        headers: {
          ...(body === undefined
            ? {}
            : {
                'content-type': 'application/json',
                'content-length': String(Buffer.byteLength(body)),
              }),
          ...headers,
        },
        signal: AbortSignal.timeout(this.#timeoutMs),
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString('utf8'),
            durationMs: performance.now() - startedAt,
          }),
        );
      },
    );
    sent.once('error', reject);
    sent.end(body);
    return promise;
  }

  /** Destroys all connections. */
  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Options of {@link Load}. */
export interface LoadOptions {
  readonly port: number;
  readonly workers: number;
  readonly path?: string;
  /** Longest pause between a response and the next request, in milliseconds. */
  readonly pauseMs?: number;
  /**
   * What a worker does that was told `Connection: close`: go, as the server says it is going, or
   * connect anew, as somebody behind a balancer does.
   */
  readonly whenTold: 'go' | 'reconnect';
}

/**
 * Workers that send one request after the other, each over its own keep-alive connection, and count
 * every failure: a socket error, a status other than 200, a truncated body. Nothing is retried.
 */
export class Load {
  readonly failures: string[] = [];
  readonly done: Promise<unknown>;
  answered = 0;
  inFlight = 0;
  readonly #options: LoadOptions;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.done = Promise.all(Array.from({ length: options.workers }, () => this.#work()));
  }

  /** Stops every worker after its current request. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves after the given number of responses. */
  async warm(answers: number): Promise<void> {
    while (this.answered < answers && this.failures.length === 0) await sleep(5);
  }

  async #work(): Promise<void> {
    const { pauseMs = 0, whenTold } = this.#options;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    try {
      while (!this.#stopped) {
        const told = await this.#request(agent);
        if (told && whenTold === 'go') return;
        if (pauseMs > 0) await sleep(Math.random() * pauseMs);
      }
    } catch (error) {
      this.failures.push(String(error));
    } finally {
      agent.destroy();
    }
  }

  #request(agent: http.Agent): Promise<boolean> {
    const { port, path = '/work' } = this.#options;
    this.inFlight++;
    return new Promise<boolean>((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, path, agent }, (response) => {
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
          else if (length !== 20_000) reject(new Error(`${length} bytes`));
          else {
            this.answered++;
            resolve(response.headers.connection === 'close');
          }
        });
      });
      request.on('error', ({ message }: NodeJS.ErrnoException) => {
        const kind = request.reusedSocket ? 'used' : 'new';
        reject(new Error(`${message} on a ${kind} connection`));
      });
    }).finally(() => {
      this.inFlight--;
    });
  }
}

import type { ManualClock } from '../manual-clock.ts';
import { exponential } from './chance.ts';
import type { DependencyOptions } from './options.ts';
import type { Outages } from './outages.ts';

/** How long a dependency takes to fail, in milliseconds. */
const FAILURE_MS = 5;

/** Default of an outage's `slowdown`. */
const SLOWDOWN = 40;

/** A request as the dependency sees it. */
export interface Request {
  readonly isCancelled: () => boolean;
  readonly answer: (failure?: { readonly error: unknown }) => void;
}

/** Workers behind a queue in order of arrival. */
export class Dependency {
  readonly #clock: ManualClock;
  readonly #random: () => number;
  readonly #outages: Outages;
  readonly #options: Required<DependencyOptions>;
  readonly #waiting: Request[] = [];
  #busy = 0;

  constructor(
    clock: ManualClock,
    random: () => number,
    outages: Outages,
    {
      workers = 8,
      serviceMs = 50,
      distribution = exponential,
      maxQueue = 100,
      errorRate = 0,
      dropsCancelled = false,
    }: DependencyOptions = {},
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#outages = outages;
    this.#options = { workers, serviceMs, distribution, maxQueue, errorRate, dropsCancelled };
  }

  /** Requests that it can answer in a second. */
  get capacity(): number {
    const { workers, serviceMs } = this.#options;
    return (1000 * workers) / serviceMs;
  }

  take(request: Request): void {
    const { errorRate, maxQueue } = this.#options;
    const outage = this.#outages.hit(['error', 'hang']);
    if (outage?.kind === 'hang') return;
    if (outage !== undefined) {
      this.#fail(request, (outage.error ?? resetConnection)());
    } else if (errorRate > 0 && this.#random() < errorRate) {
      this.#fail(request, resetConnection());
    } else if (this.#waiting.length >= maxQueue) {
      this.#fail(request, Object.assign(new Error('HTTP 503'), { status: 503 }));
    } else {
      this.#waiting.push(request);
      this.#work();
    }
  }

  #fail(request: Request, error: unknown): void {
    this.#clock.schedule(() => request.answer({ error }), FAILURE_MS).unref();
  }

  #work(): void {
    const { workers, serviceMs, distribution, dropsCancelled } = this.#options;
    while (this.#busy < workers) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      if (dropsCancelled && request.isCancelled()) continue;
      this.#busy++;
      const outage = this.#outages.hit(['slow']);
      const slowdown = outage === undefined ? 1 : (outage.slowdown ?? SLOWDOWN);
      const ms = distribution(serviceMs, this.#random) * slowdown;
      const done = (): void => {
        this.#busy--;
        request.answer();
        this.#work();
      };
      this.#clock.schedule(done, ms).unref();
    }
  }
}

function resetConnection(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}

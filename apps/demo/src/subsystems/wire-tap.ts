import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';

/** Counts of requests sent to the registry. */
interface WireCounts {
  /** Requests of guarded calls. */
  readonly requests: number;
  /** The part of {@link requests} that got no response. */
  readonly broken: number;
  /** The part of {@link requests} that the registry answered with a status of 500 or more. */
  readonly failed: number;
  /** Requests outside guarded calls, such as health checks. */
  readonly probes: number;
}

/** A request of a guarded call. */
interface WireRequest {
  /** Start of the attempt that it belongs to, on the monotonic clock, in milliseconds. */
  readonly attemptStartedAt: number;
}

/** Counts the requests that are sent to the registry, independently of the policies. */
export class WireTap {
  readonly fetch: typeof fetch;
  readonly #attempts = new AsyncLocalStorage<WireRequest>();
  readonly #listeners = new Set<(request: WireRequest) => void>();
  #requests = 0;
  #broken = 0;
  #failed = 0;
  #probes = 0;

  constructor(send: typeof fetch = (...list) => fetch(...list)) {
    this.fetch = async (...list) => {
      const attempt = this.#attempts.getStore();
      if (attempt === undefined) {
        this.#probes += 1;
        return send(...list);
      }
      this.#requests += 1;
      for (const listener of this.#listeners) listener(attempt);
      try {
        const response = await send(...list);
        if (response.status >= 500) this.#failed += 1;
        return response;
      } catch (error) {
        this.#broken += 1;
        throw error;
      }
    };
  }

  /** Runs one attempt of a guarded call. Requests outside an attempt count as probes. */
  attempt<T>(work: () => T): T {
    return this.#attempts.run({ attemptStartedAt: performance.now() }, work);
  }

  counts(): WireCounts {
    return {
      requests: this.#requests,
      broken: this.#broken,
      failed: this.#failed,
      probes: this.#probes,
    };
  }

  /** Calls `listener` at the start of each request of a guarded call until the result is disposed. */
  onRequest(listener: (request: WireRequest) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

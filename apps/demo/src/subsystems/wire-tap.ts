import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';

/** Requests that left this process. */
interface WireCounts {
  /** On behalf of guarded calls. */
  readonly requests: number;
  /** Of them, those that no answer came back for. */
  readonly broken: number;
  /** Of health checks and others that go past the guards. */
  readonly probes: number;
}

/** A request that begins now. */
interface WireRequest {
  /** When the attempt that it is part of began, on the monotonic clock, in milliseconds. */
  readonly attemptStartedAt: number;
}

/** Counts what is really sent to the registry: what a guard claims is measured where the wire begins. */
export class WireTap {
  readonly fetch: typeof fetch;
  readonly #attempts = new AsyncLocalStorage<WireRequest>();
  readonly #listeners = new Set<(request: WireRequest) => void>();
  #requests = 0;
  #broken = 0;
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
        return await send(...list);
      } catch (error) {
        this.#broken += 1;
        throw error;
      }
    };
  }

  /** Runs one attempt of a guarded call; requests outside of any count as probes. */
  attempt<T>(work: () => T): T {
    return this.#attempts.run({ attemptStartedAt: performance.now() }, work);
  }

  counts(): WireCounts {
    return { requests: this.#requests, broken: this.#broken, probes: this.#probes };
  }

  /** Calls `listener` when a request of a guarded call begins, until disposed of. */
  onRequest(listener: (request: WireRequest) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

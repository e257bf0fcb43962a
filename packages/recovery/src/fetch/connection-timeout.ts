import { OperationTimeoutError } from '@temper/core';
import { type Call, type Counts, discardBody, TimeoutQueue } from '@temper/core/policy';
import type { ResolvedHttpOptions } from './options.ts';
import type { Route } from './route.ts';

/**
 * Ends attempts whose request has not been written to a connection in time. Only those are timed whose
 * sender tells when that is done: undici, and so the `fetch` of Node.
 */
export class ConnectionTimeout {
  readonly #name: string;
  readonly #queue: TimeoutQueue;
  readonly #counts: Counts<'connect_timeout'>;

  constructor(
    { name, clock, connectTimeoutMs }: ResolvedHttpOptions,
    counts: Counts<'connect_timeout'>,
  ) {
    this.#name = `${name} connection`;
    this.#counts = counts;
    this.#queue = new TimeoutQueue(clock, connectTimeoutMs);
  }

  run<T>(attempt: (call: Call) => Promise<T>, call: Call, route: Route): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const scope = call.scope();
      let ended = false;
      const error = (): Error => new OperationTimeoutError(this.#name, this.#queue.durationMs);
      const entry = this.#queue.add(() => {
        if (!route.announced || route.sent) return;
        ended = true;
        if (call.aborted) {
          // Its sender ignores the signal. What ended the call first is what it fails with.
          scope.release();
          reject(call.reason);
          return;
        }
        this.#counts.connect_timeout++;
        const rejection = error();
        scope.end('timeout', error(), rejection);
        scope.release();
        reject(rejection);
      });
      const end = (): void => {
        this.#queue.remove(entry);
        scope.release();
      };
      attempt(scope).then(
        (value) => {
          end();
          if (ended) discardBody(value);
          else resolve(value);
        },
        (failure: unknown) => {
          end();
          reject(failure);
        },
      );
    });
  }
}

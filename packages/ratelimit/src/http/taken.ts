import { askNumber, reportCallbackError } from '@temper/core/policy';
import type { Lease } from '../limiter.ts';
import type { HttpAnswer, HttpLimit, HttpRequest } from './options.ts';

/** What a request has taken of its limits, until it is known how it was answered. */
export class Taken {
  readonly #owner: string;
  readonly #request: HttpRequest;
  #parts: { readonly limit: HttpLimit; readonly lease: Lease }[] = [];

  constructor(owner: string, request: HttpRequest) {
    this.#owner = owner;
    this.#request = request;
  }

  add(limit: HttpLimit, lease: Lease): void {
    this.#parts.push({ limit, lease });
  }

  /** Gives everything back: the request is refused, by another limit or for an error. */
  undo(): void {
    for (const { lease } of this.#empty()) {
      this.#settle(lease, 0);
      ignore(lease);
    }
  }

  /** The response is over. A second time does nothing. */
  close(answer: HttpAnswer): void {
    for (const { limit, lease } of this.#empty()) {
      const units = answer.served ? this.#costOf(limit, answer) : undefined;
      if (units !== undefined && units !== lease.cost) this.#settle(lease, units, limit);
      if (answer.served) lease.release();
      else ignore(lease);
    }
  }

  #empty(): readonly { readonly limit: HttpLimit; readonly lease: Lease }[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  /** @returns what the request turned out to cost; `undefined` for what it has taken */
  #costOf({ countOnly, settle }: HttpLimit, answer: HttpAnswer): number | undefined {
    if (settle !== undefined) {
      return askNumber(this.#owner, 'settle', settle, answer, this.#request);
    }
    if (countOnly === undefined) return undefined;
    const counts = (): number | undefined => asNumber(countOnly(answer, this.#request));
    return askNumber(this.#owner, 'countOnly', counts) === 0 ? 0 : undefined;
  }

  /** @param limit - whose option asks for it; without one it is a matter of course where it is possible */
  #settle(lease: Lease, units: number, limit?: HttpLimit): void {
    const failed = (error: unknown): void => {
      if (limit !== undefined) reportCallbackError(this.#owner, `settling '${limit.name}'`, error);
    };
    try {
      if (lease.settle !== undefined) void Promise.resolve(lease.settle(units)).catch(failed);
      else if (limit !== undefined) failed(new TypeError('The limiter has no units to give back.'));
    } catch (error) {
      failed(error);
    }
  }
}

/** Of a predicate: anything but a boolean is left for the check of the number. */
const asNumber = (answer: unknown): number | undefined =>
  typeof answer === 'boolean' ? Number(answer) : (answer as number | undefined);

/** A lease that trains its limit must not report a success of a request that was not served. */
function ignore(lease: Lease & { ignore?: unknown }): void {
  if (typeof lease.ignore === 'function') lease.ignore();
  else lease.release();
}

import { askNumber, notify, reportCallbackError } from '@temper/core/policy';
import type { Lease } from '../limiter.ts';
import { settleAside } from '../settle-aside.ts';
import {
  type HttpAnswer,
  type HttpLimit,
  type HttpRequest,
  RESPONSE_VERDICTS,
  type ResponseVerdict,
} from './options.ts';
import { isRefused } from './refused-requests.ts';

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
      const verdict = answer.served ? this.#verdict(limit, answer) : 'ignored';
      if (verdict === 'overload') overload(lease);
      else if (verdict === 'ignored') ignore(lease);
      else lease.release();
    }
  }

  #verdict({ verdict }: HttpLimit, answer: HttpAnswer): ResponseVerdict {
    if (isRefused(this.#request.raw)) return 'ignored';
    let own: unknown;
    notify(this.#owner, 'verdict', () => {
      own = verdict?.(answer, this.#request);
      return own;
    });
    if (RESPONSE_VERDICTS.includes(own as ResponseVerdict)) return own as ResponseVerdict;
    if (own !== undefined) {
      const error = new TypeError(`It must return ${RESPONSE_VERDICTS.join(', ')} or undefined.`);
      reportCallbackError(this.#owner, 'verdict', error);
    }
    return verdictOf(answer.status ?? 500);
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

  /** @param limit - whose option asks for it; without one it is done where it is possible */
  #settle(lease: Lease, units: number, limit?: HttpLimit): void {
    settleAside(lease, units, (error) => {
      if (limit !== undefined) reportCallbackError(this.#owner, `settling '${limit.name}'`, error);
    });
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

function overload(lease: Lease & { overloaded?: unknown }): void {
  if (typeof lease.overloaded === 'function') lease.overloaded();
  else lease.release();
}

/** Statuses with which a service says that it has more to do than it can. */
const OVERLOAD: readonly number[] = [503, 504];
/** Statuses whose time is that of the client's body, or of a refusal. */
const TELLS_NOTHING: readonly number[] = [408, 429];

function verdictOf(status: number): ResponseVerdict {
  if (OVERLOAD.includes(status)) return 'overload';
  return status >= 500 || TELLS_NOTHING.includes(status) ? 'ignored' : 'success';
}

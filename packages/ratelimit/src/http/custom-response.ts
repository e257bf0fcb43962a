import { checkType, reportCallbackError, show } from '@temper/core/policy';
import type { CustomResponse, HttpRateLimitOptions, HttpRefusal, HttpRequest } from './options.ts';
import { PROBLEM_TYPE } from './problem.ts';

/** The whole response to a request that was refused. */
export interface RefusalResponse {
  readonly status: number;
  /** Besides the fields of the limits, which are in the answer for every response. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns the response that `respond` asks for, or the problem detail */
export async function customResponse(
  owner: string,
  respond: HttpRateLimitOptions['respond'],
  refusal: HttpRefusal,
  request: HttpRequest,
): Promise<RefusalResponse> {
  if (respond !== undefined) {
    try {
      const custom = await respond(refusal, request);
      if (custom !== undefined) return complete(owner, custom, refusal);
    } catch (error) {
      reportCallbackError(owner, 'respond', error);
    }
  }
  return complete(owner, {}, refusal);
}

/** @throws {TypeError | RangeError} when it is no response */
function complete(owner: string, custom: CustomResponse, refusal: HttpRefusal): RefusalResponse {
  checkType(owner, 'the result of respond', custom, 'object');
  const { status = refusal.status, headers = {}, body } = custom;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`status must be an integer from 200 to 599, got ${show(status)}.`);
  }
  const [type, text] = contentOf(body, refusal);
  const given = new Headers(headers); // refuses names and values that are none
  if (!given.has('content-type')) given.set('content-type', type);
  return { status, headers: Object.fromEntries(given), body: text };
}

function contentOf(body: unknown, { problem }: HttpRefusal): readonly [type: string, text: string] {
  if (body === undefined) return [PROBLEM_TYPE, JSON.stringify(problem)];
  if (typeof body === 'string') return ['text/plain; charset=utf-8', body];
  const text = JSON.stringify(body);
  if (text === undefined) throw new TypeError(`body must be text or JSON, got ${show(body)}.`);
  return ['application/json; charset=utf-8', text];
}

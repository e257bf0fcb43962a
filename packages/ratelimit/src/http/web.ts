import { notify } from '@temper/core/policy';
import type { ResponseFields } from './announcement.ts';
import type { RefusalResponse } from './custom-response.ts';

/** The response to a refused request. */
export function refusedResponse(refusal: RefusalResponse, fields: ResponseFields): Response {
  const headers = { ...fields, ...refusal.headers };
  return new Response(refusal.body, { status: refusal.status, headers });
}

/** The address by a user's function. An error and a promise are logged; it is unknown then. */
export function remoteBy<T>(
  owner: string,
  remoteAddress: (from: T) => string | undefined,
  from: T,
): string | undefined {
  let address: unknown;
  notify(owner, 'remoteAddress', () => {
    address = remoteAddress(from);
    return address;
  });
  return typeof address === 'string' ? address : undefined;
}

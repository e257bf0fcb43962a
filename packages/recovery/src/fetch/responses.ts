import type { CallContext } from '@temper/core';

/** The responses that the attempts of one request got. All but the returned one are cancelled. */
export class ResponsesOfRequest {
  readonly #open: Response[] = [];
  #ended = false;

  /** @param call - the attempt that got the response */
  add(response: Response, call: CallContext): void {
    // The attempt was ended, and its sender did not react: nobody will read the response.
    if (this.#ended || call.endedBy !== undefined) discard(response);
    else this.#open.push(response);
  }

  /** @param returned - what the caller gets; `undefined` when the request failed */
  end(returned: Response | undefined): void {
    this.#ended = true;
    for (const response of this.#open.splice(0)) {
      if (response !== returned) discard(response);
    }
  }
}

/** Cancels a body that nobody will read, so that its connection is released. Never throws. */
export function discard(response: unknown): void {
  void cancel(response as Response);
}

async function cancel(response: Response): Promise<void> {
  try {
    const { body } = response;
    if (!body?.locked) await body?.cancel();
  } catch {
    // A sender of the user's may return anything, and a body may fail while it is cancelled.
  }
}

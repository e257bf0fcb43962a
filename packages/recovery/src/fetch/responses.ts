import type { HttpAttempt } from './http-guard.ts';

/** The responses that the attempts of one request got. All but the returned one are cancelled. */
export class ResponsesOfRequest {
  readonly #open = new Map<Response, HttpAttempt>();
  #ended = false;

  /** @param attempt - that got the response */
  add(response: Response, attempt: HttpAttempt): void {
    // The attempt was ended, and its sender did not react: nobody will read the response.
    if (this.#ended || attempt.call.endedBy !== undefined) discard(response);
    else this.#open.set(response, attempt);
  }

  attemptOf(response: Response): HttpAttempt | undefined {
    return this.#open.get(response);
  }

  /** @param returned - what the caller gets; `undefined` when the request failed */
  end(returned: Response | undefined): void {
    this.#ended = true;
    for (const response of this.#open.keys()) if (response !== returned) discard(response);
    this.#open.clear();
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

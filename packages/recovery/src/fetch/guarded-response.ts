import type { BodyFace, BodyGuard } from './body-guard.ts';

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/** Whether a response has a body that can be watched. Senders of the user's may return anything. */
export function hasWebBody(response: Response): boolean {
  try {
    const { body, status } = response;
    return status >= 200 && typeof body?.getReader === 'function' && !body.locked;
  } catch {
    return false;
  }
}

/** Reads the bodies of an exchange's responses, one after the other, as one body. */
export class ResponseReader {
  readonly stream: ReadableStream;
  /** Ends what is under way for the rest of a body that nobody reads any more. */
  readonly #over = new AbortController();
  readonly #callers: readonly AbortSignal[];
  #guard: BodyGuard<Response> | undefined;
  #controller: ReadableByteStreamController | undefined;
  #reader: Reader;
  #skip = 0;
  #broken: Error | undefined;
  #expired = false;

  /** @param callers - their aborts are no failures */
  constructor(response: Response, callers: readonly AbortSignal[]) {
    this.#callers = callers;
    this.#reader = readerOf(response);
    this.stream = new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        this.#controller = controller;
      },
      pull: (controller) => this.#pull(controller),
      cancel: (reason) => this.#cancel(reason),
    });
  }

  /** What the reader does when a timer ends a body. */
  readonly events: Pick<BodyFace<Response>, 'idle' | 'expired'> = {
    idle: (error) => {
      this.#broken = error;
      void this.#giveUp(error);
    },
    expired: (error) => {
      this.#expired = true;
      this.#controller?.error(error);
      void this.#cancel(error);
    },
  };

  watch(guard: BodyGuard<Response>): void {
    this.#guard = guard;
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    const guard = this.#guard as BodyGuard<Response>;
    for (;;) {
      let chunk: Uint8Array<ArrayBuffer> | undefined;
      try {
        chunk = await this.#read(guard);
      } catch (failure) {
        await this.#recover(guard, failure);
        continue;
      }
      if (this.#expired) return;
      if (chunk === undefined) {
        guard.timers.stop();
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      chunk = this.#skipped(chunk);
      if (chunk.length === 0) continue;
      guard.delivered += chunk.length;
      controller.enqueue(chunk);
      return;
    }
  }

  /** @returns `undefined` at the end */
  async #read({ timers }: BodyGuard<Response>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    timers.waiting();
    try {
      const { done, value } = await this.#reader.read();
      const broken = this.#broken;
      this.#broken = undefined;
      if (broken !== undefined) throw broken; // the end is that of the cancelled reader
      return done ? undefined : value;
    } finally {
      timers.received();
    }
  }

  /** What of a piece the reader does not have yet. */
  #skipped(chunk: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const skip = Math.min(this.#skip, chunk.length);
    this.#skip -= skip;
    return skip === 0 ? chunk : chunk.slice(skip);
  }

  async #recover(guard: BodyGuard<Response>, failure: unknown): Promise<void> {
    try {
      if (this.#expired || this.#callers.some(({ aborted }) => aborted)) throw failure;
      const signal = AbortSignal.any([...this.#callers, this.#over.signal]);
      const { response, skip } = await guard.recover(failure, signal);
      this.#reader = readerOf(response);
      this.#skip = skip;
      if (this.#over.signal.aborted) void this.#giveUp(failure);
    } catch (error) {
      guard.timers.stop();
      const caller = this.#callers.find(({ aborted }) => aborted);
      throw caller === undefined ? error : caller.reason;
    }
  }

  async #cancel(reason: unknown): Promise<void> {
    this.#guard?.timers.stop();
    this.#over.abort(reason);
    await this.#giveUp(reason);
  }

  async #giveUp(reason: unknown): Promise<void> {
    try {
      await this.#reader.cancel(reason);
    } catch {
      // It has failed by itself.
    }
  }
}

function readerOf(response: Response): Reader {
  return (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
}

/** The properties of a response that its constructor does not take. */
const OWN = ['url', 'redirected', 'type'] as const;

/** The same response, of the same class, with another body. */
export function withBody(response: Response, body: ReadableStream): Response {
  const { status, statusText, headers } = response;
  const Class = response.constructor as typeof Response;
  return described(new Class(body, { status, statusText, headers }), response);
}

function described(copy: Response, original: Response): Response {
  for (const name of OWN) {
    Object.defineProperty(copy, name, { value: original[name], configurable: true });
  }
  const clone = (): Response => described(Object.getPrototypeOf(copy).clone.call(copy), original);
  return Object.defineProperty(copy, 'clone', { value: clone, configurable: true });
}

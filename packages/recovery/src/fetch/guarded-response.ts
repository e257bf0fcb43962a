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

/**
 * Whether a response is as `fetch` made it: no constructor takes an address, and a sender that makes another
 * response of it, with another body, can only define one.
 */
export function isFetched(response: Response): boolean {
  return response.url !== '' && !Object.hasOwn(response, 'url');
}

/** Ends bodies that nobody can pull any more: `fetch` does it by itself, but only for streams without a reader. */
const forgotten =
  typeof FinalizationRegistry === 'undefined'
    ? undefined
    : /* @__PURE__ */ new FinalizationRegistry<ResponseReader>((reader) => reader.release());

/** Strongly, where the platform has no weak references. */
function weakly<T extends object>(target: T): { deref(): T | undefined } {
  return typeof WeakRef === 'undefined' ? { deref: () => target } : new WeakRef(target);
}

/**
 * Reads the bodies of an exchange's responses, one after the other, as one body. It does not hold the stream
 * that it makes of them, so that one which nobody reads any more can be collected, and its connection released.
 */
export class ResponseReader {
  /** Ends what is under way for the rest of a body that nobody reads any more. */
  readonly #over = new AbortController();
  readonly #callers: readonly AbortSignal[];
  #guard: BodyGuard<Response> | undefined;
  #controller: { deref(): ReadableByteStreamController | undefined } | undefined;
  #reader: Reader;
  #skip = 0;
  /** Fails the read that is under way. */
  #interrupt: ((error: Error) => void) | undefined;
  #expired: Error | undefined;

  /** @param callers - their aborts are no failures */
  constructor(response: Response, callers: readonly AbortSignal[]) {
    this.#callers = callers;
    this.#reader = readerOf(response);
  }

  /** The body, for one reader. */
  open(): ReadableStream {
    const pull = (controller: ReadableByteStreamController): Promise<void> =>
      this.#pull(controller);
    // Not the stream: workerd collects it when it was cloned, and reads on for its clones.
    forgotten?.register(pull, this, this);
    return new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        this.#controller = weakly(controller);
      },
      pull,
      cancel: (reason) => this.#cancel(reason),
    });
  }

  /** Nobody can read the body any more. */
  release(): void {
    void this.#cancel(new Error('Nobody has read the body.'));
  }

  /** What the reader does when a timer ends a body. */
  readonly events: Pick<BodyFace<Response>, 'idle' | 'expired'> = {
    idle: (error) => {
      this.#interrupt?.(error);
      void this.#giveUp(error);
    },
    expired: (error) => {
      this.#expired = error;
      this.#controller?.deref()?.error(error);
      this.#interrupt?.(error);
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
      if (this.#expired !== undefined) throw this.#expired;
      if (chunk === undefined) {
        const missing = guard.missing();
        if (missing !== undefined) {
          await this.#recover(guard, missing);
          continue;
        }
        this.#ended();
        guard.end();
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      chunk = this.#skipped(chunk);
      if (chunk.length === 0) continue;
      this.#deliver(guard, chunk.length);
      controller.enqueue(chunk);
      return;
    }
  }

  /** @returns `undefined` at the end */
  async #read({ timers }: BodyGuard<Response>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    timers.waiting();
    try {
      // What a read ends with that is cancelled differs: workerd rejects it with a copy of the reason, or never ends it.
      const { done, value } = await new Promise<Awaited<ReturnType<Reader['read']>>>(
        (resolve, reject) => {
          this.#interrupt = reject;
          this.#reader.read().then(resolve, reject);
        },
      );
      return done ? undefined : value;
    } finally {
      this.#interrupt = undefined;
      timers.received();
    }
  }

  #deliver(guard: BodyGuard<Response>, bytes: number): void {
    try {
      guard.deliver(bytes);
    } catch (error) {
      void this.#cancel(error);
      throw error;
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
      if (this.#expired !== undefined || this.#callers.some(({ aborted }) => aborted))
        throw failure;
      const signal = AbortSignal.any([...this.#callers, this.#over.signal]);
      const { response, skip } = await guard.recover(failure, signal);
      this.#reader = readerOf(response);
      this.#skip = skip;
      if (this.#over.signal.aborted) void this.#giveUp(failure);
    } catch (error) {
      this.#ended();
      const caller = this.#callers.find(({ aborted }) => aborted);
      throw caller === undefined ? error : caller.reason;
    }
  }

  async #cancel(reason: unknown): Promise<void> {
    this.#ended();
    this.#over.abort(reason);
    await this.#giveUp(reason);
  }

  /** Must let go of the stream's registration: an error that is kept may hold the stream by its stack trace. */
  #ended(): void {
    this.#guard?.timers.stop();
    forgotten?.unregister(this);
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

type Named = Readonly<Record<string, unknown>>;

/** The properties of a response that its constructor does not take. */
const OWN = ['url', 'redirected', 'type'] as const;
/** Those that it does not take all values of: servers send status 999, and reasons that are no bytes. */
const CHECKED = ['status', 'statusText', 'ok'] as const;

/** The same response, of the same class, with another body. */
export function withBody(response: Response, body: ReadableStream): Response {
  const { status, statusText, headers } = response;
  const Class = response.constructor as typeof Response;
  try {
    return described(new Class(body, { status, statusText, headers }), valuesOf(response, OWN));
  } catch {
    const own = valuesOf(response, [...OWN, ...CHECKED]);
    return described(new Class(body, { headers }), own);
  }
}

function valuesOf(response: Response, names: readonly (keyof Response)[]): Named {
  return Object.fromEntries(names.map((name) => [name, response[name]]));
}

function described(copy: Response, own: Named): Response {
  for (const [name, value] of Object.entries(own)) {
    Object.defineProperty(copy, name, { value, configurable: true });
  }
  const clone = (): Response => described(Object.getPrototypeOf(copy).clone.call(copy), own);
  return Object.defineProperty(copy, 'clone', { value: clone, configurable: true });
}

import { type Counts, listenForAbort, stopListening } from '@temper/core/policy';
import { sourceOfFetch } from './body-source.ts';
import { bytesOf, type Replay, replayOf, streamOf } from './replay.ts';

type Body = NonNullable<RequestInit['body']>;

/** What an attempt sends: the fields of `RequestInit` that replace those of the request. */
interface AttemptBody {
  readonly body?: Body;
  readonly duplex?: 'half';
}

const UNCHANGED: AttemptBody = {};

/** The body of a request of `fetch`, for several attempts. */
export class RequestBody {
  readonly #request: Request | undefined;
  readonly #replay: Replay | undefined;
  readonly #maxBytes: number;
  readonly #counts: Counts<'replay_bytes'>;
  #bytes: Promise<Uint8Array<ArrayBuffer> | undefined> | undefined;
  /** Reads the body of the `Request`. */
  #copy: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  #tooLarge = false;
  #unreadable = false;

  /**
   * @param input - what `fetch` gets; the body of a `Request` counts when the options have none
   * @param body - of the options
   * @param maxBytes - most bytes that are kept; `undefined` when there is no other attempt
   * @param counts - of bodies that have more
   */
  constructor(
    input: unknown,
    body: unknown,
    maxBytes: number | undefined,
    counts: Counts<'replay_bytes'>,
  ) {
    this.#maxBytes = maxBytes ?? 0;
    this.#counts = counts;
    const source = sourceOfFetch(body);
    // Also for a single attempt: it is to be known whether its source has failed.
    if (source !== undefined) this.#replay = replayOf(source, maxBytes, counts);
    else if (maxBytes !== undefined && (body ?? null) === null) this.#request = withBody(input);
  }

  get repeatable(): boolean {
    return !this.#tooLarge && !this.#unreadable && (this.#replay?.repeatable ?? true);
  }

  /** Whether it could not be read. */
  get failed(): boolean {
    return this.#unreadable || (this.#replay?.failed ?? false);
  }

  /** @param signal - of the attempt, which does not wait longer for the body of a `Request` */
  async next(signal: AbortSignal): Promise<AttemptBody> {
    if (this.#replay !== undefined) return { body: streamOf(this.#replay.open()), duplex: 'half' };
    if (this.#request === undefined) return UNCHANGED;
    this.#bytes ??= this.#read(this.#request);
    const body = await unlessAborted(this.#bytes, signal);
    return body === undefined ? UNCHANGED : { body };
  }

  async #read(request: Request): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // The original is sent when the copy shows that there is too much of it.
    const copy = request.clone().body as ReadableStream<Uint8Array<ArrayBuffer>>;
    this.#copy = copy.getReader();
    const bytes = await bytesOf(this.#copy, this.#maxBytes).catch((error: unknown) => {
      this.#unreadable = true;
      throw error;
    });
    this.#copy = undefined;
    this.#tooLarge = bytes === undefined;
    if (this.#tooLarge) this.#counts.replay_bytes++;
    if (bytes !== undefined) await request.body?.cancel();
    return bytes;
  }

  /** The request has failed: what is left of its body is not read. */
  release(): void {
    this.#replay?.release();
    if (this.#copy === undefined) return;
    // Not awaited: the source of both is ended when both are.
    ignoreRejection(this.#copy.cancel());
    ignoreRejection(this.#request?.body?.cancel());
  }
}

function ignoreRejection(promise: Promise<void> | undefined): void {
  promise?.catch(() => {});
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    const settle = (end: () => void): void => {
      stopListening(signal, onAbort);
      end();
    };
    if (signal.aborted) onAbort();
    else listenForAbort(signal, onAbort);
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}

function withBody(input: unknown): Request | undefined {
  const { body, bodyUsed, clone } = (input ?? {}) as Partial<Request>;
  const readable = body?.locked === false && bodyUsed === false && typeof clone === 'function';
  return readable ? (input as Request) : undefined;
}

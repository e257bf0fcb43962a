import type { Counts } from '@temper/core/policy';
import { bytesOf, isSource, Replay, streamOf } from './replay.ts';
import { isRepeatable } from './target.ts';

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
  #tooLarge = false;

  /**
   * @param input - what `fetch` gets; the body of a `Request` counts when the options have none
   * @param body - of the options
   * @param maxBytes - most bytes that are kept
   * @param counts - of bodies that have more
   */
  constructor(input: unknown, body: unknown, maxBytes: number, counts: Counts<'replay_bytes'>) {
    this.#maxBytes = maxBytes;
    this.#counts = counts;
    if (isSource(body) && !isRepeatable(body))
      this.#replay = new Replay(body, maxBytes, () => counts.replay_bytes++);
    else if (body === undefined || body === null) this.#request = withBody(input);
  }

  get repeatable(): boolean {
    return !this.#tooLarge && (this.#replay?.repeatable ?? true);
  }

  async next(): Promise<AttemptBody> {
    if (this.#replay !== undefined) return { body: streamOf(this.#replay.open()), duplex: 'half' };
    if (this.#request === undefined) return UNCHANGED;
    this.#bytes ??= this.#read(this.#request);
    const body = await this.#bytes;
    return body === undefined ? UNCHANGED : { body };
  }

  async #read(request: Request): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // The original is sent when the copy shows that there is too much of it.
    const copy = request.clone().body as ReadableStream<Uint8Array<ArrayBuffer>>;
    const bytes = await bytesOf(copy, this.#maxBytes);
    this.#tooLarge = bytes === undefined;
    if (this.#tooLarge) this.#counts.replay_bytes++;
    if (bytes !== undefined) await request.body?.cancel();
    return bytes;
  }

  /** The request has failed: what is left of its body is not read. */
  release(): void {
    this.#replay?.release();
  }
}

function withBody(input: unknown): Request | undefined {
  const { body, bodyUsed, clone } = (input ?? {}) as Partial<Request>;
  const readable = body?.locked === false && bodyUsed === false && typeof clone === 'function';
  return readable ? (input as Request) : undefined;
}

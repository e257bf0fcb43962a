import type { Counts } from '@temper/core/policy';
import { type Chunk, chunkOf, type Source } from './body-source.ts';

/**
 * A body that can be read only once, for several attempts. What an attempt has read is kept, up to a
 * bound; the next attempt gets it again, and goes on with the rest.
 */
export class Replay {
  readonly #source: Source;
  readonly #maxBytes: number;
  readonly #tooLarge: () => void;
  /** The chunks from number `#from` on. */
  #kept: Chunk[] = [];
  #from = 0;
  #bytes = 0;
  /** The bound was reached, so that the beginning is not kept any more. */
  #full = false;
  #reading: Promise<void> | undefined;
  #end: { readonly error?: unknown } | undefined;

  /** @param tooLarge - called when what was read is no longer kept */
  constructor(source: Source, maxBytes: number, tooLarge: () => void) {
    this.#source = source;
    this.#maxBytes = maxBytes;
    this.#tooLarge = tooLarge;
  }

  /** Whether another attempt can have the whole body. */
  get repeatable(): boolean {
    return !this.#full && !this.failed;
  }

  /** Whether its source has failed, or was released. */
  get failed(): boolean {
    return this.#end !== undefined && 'error' in this.#end;
  }

  /** The whole body for an attempt. Only the latest one may be read. */
  async *open(): AsyncGenerator<Chunk, void> {
    for (let next = 0; ; ) {
      const chunk = this.#kept[next - this.#from];
      if (chunk !== undefined) {
        next++;
        yield chunk;
      } else if (this.#end === undefined) {
        // An attempt before may still wait for a chunk, which is then for this one.
        this.#reading ??= this.#read();
        await this.#reading;
      } else {
        if ('error' in this.#end) throw this.#end.error;
        return;
      }
    }
  }

  async #read(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done === true) this.#end = {};
      else this.#keep(chunkOf(value));
    } catch (error) {
      this.#end = { error };
    } finally {
      this.#reading = undefined;
    }
  }

  #keep(chunk: Chunk): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      if (!this.#full) this.#tooLarge();
      this.#full = true;
      this.#from += this.#kept.length;
      this.#kept = [];
    }
    this.#kept.push(chunk);
  }

  /** No attempt needs the body any more: its source is ended, unless it was read to the end. Never throws. */
  release(): void {
    const isRead = this.#end !== undefined;
    this.#end = { error: new Error('The request has failed.') };
    this.#kept = [];
    if (!isRead) void this.#return();
  }

  async #return(): Promise<void> {
    try {
      await this.#source.return?.();
    } catch {
      // A source that cannot be ended: there is nothing else to release.
    }
  }
}

/** @param maxBytes - `undefined` when there is no other attempt: nothing is kept, and nothing counted */
export function replayOf(
  source: () => Source,
  maxBytes: number | undefined,
  counts: Counts<'replay_bytes'>,
): Replay {
  return new Replay(source(), maxBytes ?? 0, () => {
    if (maxBytes !== undefined) counts.replay_bytes++;
  });
}

/**
 * The body of one attempt, which may be released: undici keeps the body of a request for as long as it waits
 * for a connection.
 */
export class AttemptBody implements AsyncIterable<Chunk> {
  #replay: Replay | undefined;

  constructor(replay: Replay) {
    this.#replay = replay;
  }

  /** The attempt was given up before its body was read. */
  release(): void {
    this.#replay = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void> {
    if (this.#replay === undefined) throw new Error('The request was given up.');
    yield* this.#replay.open();
  }
}

/** What a body of `fetch` reads from an attempt's generator. */
export function streamOf(chunks: AsyncGenerator<Chunk, void>): ReadableStream {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The body of a `Request` as bytes; `undefined` when it is larger than `maxBytes`. */
export async function bytesOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > maxBytes) {
      // Not awaited: a clone is only cancelled when the original is too.
      void reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

import { show } from '@temper/core/policy';

/** A piece of a request's body. */
export type Chunk = Uint8Array | string;

type Iterables = AsyncIterable<unknown> & Iterable<unknown> & Pick<ReadableStream, 'getReader'>;

/** The pieces of a body that can be read only once. */
export type Source = AsyncIterator<unknown> | Iterator<unknown>;

/**
 * The pieces of a body that `fetch` reads one by one: a stream, or what is asynchronously iterable. Anything
 * else it takes as a whole: what it does not know, an array or a `Map` for instance, as a text.
 *
 * @returns a function that begins to read; `undefined` for a body that is the same each time it is sent
 */
export function sourceOfFetch(body: unknown): (() => Source) | undefined {
  if (typeof body !== 'object' || body === null || isWhole(body)) return undefined;
  const { [Symbol.asyncIterator]: asynchronous, getReader } = body as Partial<Iterables>;
  if (typeof asynchronous === 'function') return () => asynchronous.call(body);
  // Safari's streams cannot be iterated over.
  return typeof getReader === 'function' ? () => read(body as ReadableStream) : undefined;
}

/** As {@link sourceOfFetch}, for the dispatchers of undici, which read what is iterable too. */
export function sourceOfDispatch(body: unknown): (() => Source) | undefined {
  const source = sourceOfFetch(body);
  if (source !== undefined || typeof body !== 'object' || body === null || isWhole(body)) {
    return source;
  }
  const { [Symbol.iterator]: synchronous } = body as Partial<Iterables>;
  return typeof synchronous === 'function' ? () => synchronous.call(body) : undefined;
}

/** By what they call themselves: undici has a `FormData` of its own. */
const WHOLE: ReadonlySet<string> = new Set(['FormData', 'Blob', 'File', 'URLSearchParams']);

/** Whether a body can be iterated over or read as often as it is sent. */
function isWhole(body: object): boolean {
  const { [Symbol.toStringTag]: tag } = body as { [Symbol.toStringTag]?: unknown };
  return ArrayBuffer.isView(body) || (typeof tag === 'string' && WHOLE.has(tag));
}

async function* read(stream: ReadableStream): AsyncGenerator<unknown> {
  const reader = stream.getReader();
  let done = false;
  try {
    for (;;) {
      const next = await reader.read();
      if (next.done) break;
      yield next.value;
    }
    done = true;
  } finally {
    if (!done) await reader.cancel();
  }
}

/** @throws {TypeError} for what is neither text nor bytes, which no client can send */
export function chunkOf(value: unknown): Chunk {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError(`A request body must consist of texts and bytes, got ${show(value)}.`);
}

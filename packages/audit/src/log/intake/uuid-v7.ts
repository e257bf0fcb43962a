const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

/** Random bytes fetched at a time: the cost of a call does not depend on their number. */
const POOL_BYTES = 8 * 512;
/** Bytes after the counter: two variant bits and 62 random bits. */
const TAIL_BYTES = 8;
/** Two more bytes seed the counter in each new millisecond. */
const TAKE_BYTES = TAIL_BYTES + 2;

/**
 * Creates a generator of UUIDs of version 7, sortable by time and by order within a millisecond.
 *
 * The 12 bits after the time are a counter, seeded at random below half its range each millisecond
 * (RFC 9562, 6.2, method 1). If the counter overflows or the clock goes back, the timestamp is
 * advanced, so that every identifier is greater than the previous one.
 *
 * @param now wall-clock milliseconds
 * @param fill fills a buffer with random bytes
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.7
 */
export function uuidV7Generator(
  now: () => number,
  fill: (buffer: Uint8Array) => unknown,
): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let offset = POOL_BYTES;
  let time = -1;
  let counter = 0;

  return () => {
    if (offset + TAKE_BYTES > POOL_BYTES) {
      fill(pool);
      offset = 0;
    }
    const wall = Math.floor(now());
    if (wall > time) {
      time = wall;
      counter = ((pool[offset + 8]! << 8) | pool[offset + 9]!) & 0x7ff;
    } else if (++counter > 0xfff) {
      time++;
      counter = 0;
    }
    const high = Math.floor(time / 0x1_0000);
    const low = time & 0xffff;
    const text =
      `${HEX[(high >>> 24) & 0xff]}${HEX[(high >>> 16) & 0xff]}${HEX[(high >>> 8) & 0xff]}${HEX[high & 0xff]}-` +
      `${HEX[low >>> 8]}${HEX[low & 0xff]}-` +
      `${HEX[0x70 | (counter >>> 8)]}${HEX[counter & 0xff]}-` +
      `${HEX[0x80 | (pool[offset]! & 0x3f)]}${HEX[pool[offset + 1]!]}-` +
      `${HEX[pool[offset + 2]!]}${HEX[pool[offset + 3]!]}${HEX[pool[offset + 4]!]}` +
      `${HEX[pool[offset + 5]!]}${HEX[pool[offset + 6]!]}${HEX[pool[offset + 7]!]}`;
    offset += TAKE_BYTES;
    return text;
  };
}

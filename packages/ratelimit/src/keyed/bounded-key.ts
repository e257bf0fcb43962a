/** Longest key that is kept as it is, in UTF-16 code units. */
const MAX_LENGTH = 128;

/**
 * A key of bounded length for each key: long ones are replaced by their SHA-256. Whoever chooses the keys
 * can neither fill the memory nor choose one that is taken for another.
 */
export function boundedKey(key: string): string {
  // Padded beyond the length of the keys that are kept, a digest is equal to none of them.
  return key.length <= MAX_LENGTH ? key : sha256(key).padStart(MAX_LENGTH + 1, '0');
}

/** Fractional parts of the roots of the first primes: square roots, and cube roots. */
function rootsOfPrimes(count: number, power: number): Uint32Array {
  const roots: number[] = [];
  for (let n = 2; roots.length < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (prime) roots.push((n ** power % 1) * 2 ** 32);
  }
  return Uint32Array.from(roots);
}

const INITIAL = rootsOfPrimes(8, 1 / 2);
const ROUNDS = rootsOfPrimes(64, 1 / 3);

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/**
 * SHA-256 of the UTF-16 code units of a text, in hexadecimal digits. Web Crypto has only an asynchronous
 * one.
 *
 * Source: FIPS 180-4.
 */
export function sha256(text: string): string {
  const blocks = Math.ceil((2 * text.length + 9) / 64);
  const data = new DataView(new ArrayBuffer(64 * blocks));
  for (let i = 0; i < text.length; i++) data.setUint16(2 * i, text.charCodeAt(i));
  data.setUint8(2 * text.length, 0x80);
  data.setUint32(64 * blocks - 8, Math.floor((16 * text.length) / 2 ** 32));
  data.setUint32(64 * blocks - 4, 16 * text.length);
  const state = INITIAL.slice();
  for (let at = 0; at < data.byteLength; at += 64) compress(state, data, at);
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('');
}

const schedule = new Uint32Array(64);

function compress(state: Uint32Array, data: DataView, at: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = data.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const [x, y] = [w[i - 15]!, w[i - 2]!];
    const low = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const high = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[i] = w[i - 16]! + low + w[i - 7]! + high;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const sumE = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const first = (h + sumE + ((e & f) ^ (~e & g)) + ROUNDS[i]! + w[i]!) | 0;
    const sumA = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const second = (sumA + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = state[i]! + word;
}

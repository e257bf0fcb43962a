/** The source of chance of every policy: a number in `[0, 1)`. Inject a seeded one for repeatable runs. */
export type Random = () => number;

/** `Math.random`. */
export const systemRandom: Random = Math.random;

/**
 * An identifier of 128 random bits, in 32 hexadecimal digits. Not at import: Cloudflare Workers refuse
 * random values outside of a request. Unlike `crypto.randomUUID` it works on pages without TLS.
 */
export function randomId(): string {
  let id = '';
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) {
    id += byte.toString(16).padStart(2, '0');
  }
  return id;
}

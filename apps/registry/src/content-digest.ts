import { hash } from 'node:crypto';
import { Problem } from './problem.ts';

const DIGEST = /(?:^|,)\s*sha-(256|512)=:([A-Za-z0-9+/=]+):/g;

/**
 * Checks a body against its `Content-Digest` header (RFC 9530), when there is one.
 * Algorithms that are not known are passed over, as the RFC says.
 *
 * @returns the body
 * @throws {Problem} `digest-mismatch`
 */
export function checkContentDigest(header: string | string[] | undefined, body: Buffer): Buffer {
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '');
  for (const [, bits, expected] of text.matchAll(DIGEST)) {
    if (hash(`sha${bits}`, body, 'base64') !== expected) {
      throw new Problem('digest-mismatch', `The body does not have the SHA-${bits} it announces.`);
    }
  }
  return body;
}

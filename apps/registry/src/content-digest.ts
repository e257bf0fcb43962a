import { hash } from 'node:crypto';
import { Problem } from './problem.ts';

const DIGEST = /(?:^|,)\s*sha-(256|512)=:([A-Za-z0-9+/=]+):/g;

/**
 * Verifies a body against its `Content-Digest` header (RFC 9530), if present.
 * Unknown algorithms are ignored, as the RFC specifies.
 *
 * @returns the body
 * @throws {Problem} `digest-mismatch`
 */
export function checkContentDigest(header: string | string[] | undefined, body: Buffer): Buffer {
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '');
  for (const [, bits, expected] of text.matchAll(DIGEST)) {
    if (hash(`sha${bits}`, body, 'base64') !== expected) {
      throw new Problem(
        'digest-mismatch',
        `The body does not match its SHA-${bits} Content-Digest.`,
      );
    }
  }
  return body;
}

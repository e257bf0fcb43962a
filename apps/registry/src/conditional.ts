import { hash } from 'node:crypto';

/** Computes a strong entity tag (RFC 9110, section 8.8.3) from the bytes of a representation. */
export function entityTag(body: string | Uint8Array): string {
  return `"${hash('sha256', body, 'base64url').slice(0, 27)}"`;
}

const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

/**
 * Whether an `If-None-Match` header names the tag, by weak comparison (RFC 9110, section 13.1.2).
 * `*` matches every existing representation.
 */
export function noneMatchNames(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const opaque = tag.replace(/^W\//, '');
  return (header.match(TAG) ?? []).some((candidate) => candidate.replace(/^W\//, '') === opaque);
}

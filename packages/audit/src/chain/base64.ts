/**
 * Decodes base64 (RFC 4648, section 4) strictly: one text for one value. `Buffer.from` ignores what it
 * does not know, so that a signed or hashed text could be changed without a trace.
 *
 * @throws {TypeError} unless the text is the encoding of its bytes, padding included
 */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new TypeError('A value is not in strict base64.');
  return bytes;
}

/** Base64 of bytes, or of a text in UTF-8. */
export function encodeBase64(bytes: Uint8Array | string): string {
  let binary = '';
  for (const byte of typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes) {
    binary += String.fromCharCode(byte);
  }
  return btoa(binary);
}

/** @returns the bytes; `undefined` unless `text` is base64, whatever its padding */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.replace(/(?<!=)=+$/, '')), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

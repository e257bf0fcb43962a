import { safeText } from '@temper/core/policy';
import { decodeBase64 } from './base64.ts';
import type { NoteSigner, NoteVerifier } from './signing-key.ts';

/** Maximum number of signatures of a note. */
const MAX_SIGNATURES = 100;
/** Maximum size of a note, in bytes. */
const MAX_BYTES = 1024 * 1024;
const LINE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;

/** An unverified signature line of a note. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  readonly signature: Uint8Array;
}

/** A parsed note. Its signatures are not verified, see {@link openNote}. */
export interface ParsedNote {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Signs `text`, which must end in a newline, in the C2SP signed-note format. */
export async function signNote(text: string, signers: readonly NoteSigner[]): Promise<string> {
  checkText(text);
  const bytes = Buffer.from(text);
  const lines: string[] = [];
  for (const signer of signers) {
    const { name, keyId } = signer;
    lines.push(`${signatureLine({ name, keyId, signature: await signer.sign(bytes) })}\n`);
  }
  return `${text}\n${lines.join('')}`;
}

/** The line of a signature in a note, without a line break. */
export function signatureLine({ name, keyId, signature }: NoteSignature): string {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(keyId);
  return `— ${name} ${Buffer.concat([id, signature]).toString('base64')}`;
}

/**
 * Parses a note without verifying its signatures.
 *
 * @throws {TypeError} if it is not a signed note
 * @see https://c2sp.org/signed-note
 */
export function parseNote(note: string): ParsedNote {
  if (Buffer.byteLength(note) > MAX_BYTES) throw new TypeError('The note is larger than 1 MiB.');
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) {
    throw new TypeError('The note has no blank line before its signatures.');
  }
  const text = note.slice(0, split + 1);
  checkText(text);
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) throw new TypeError('The note has too many signatures.');
  return { text, signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const [, name = '', data = ''] = LINE.exec(line) ?? [];
  const bytes = decodeBase64(data);
  if (name === '' || bytes.length < 5)
    throw new TypeError('The note has a malformed signature line.');
  return { name, keyId: bytes.readUInt32BE(0), signature: bytes.subarray(4) };
}

/** Text of a verified note and the names of the known keys that signed it. */
export interface OpenedNote {
  readonly text: string;
  readonly signedBy: readonly string[];
}

/**
 * Verifies a note. Signatures of unknown keys are ignored. The note is rejected if a signature of a
 * known key is invalid, or if there is no signature of a known key.
 *
 * @throws {TypeError} if it is malformed or has no valid signature of any verifier
 */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): OpenedNote {
  const { text, signatures } = parseNote(note);
  const bytes = Buffer.from(text);
  const signedBy: string[] = [];
  for (const { name, keyId, signature } of signatures) {
    const verifier = verifiers.find((known) => known.name === name && known.keyId === keyId);
    if (verifier === undefined) continue;
    if (!verifier.verify(bytes, signature)) {
      throw new TypeError(`The signature of '${safeText(name)}' does not match the note.`);
    }
    signedBy.push(name);
  }
  if (signedBy.length === 0) throw new TypeError('No known key has signed the note.');
  return { text, signedBy };
}

function checkText(text: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression rejects control characters
  if (!text.endsWith('\n') || !text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(text)) {
    throw new TypeError(
      'A note must be UTF-8 text without control characters that ends in a newline.',
    );
  }
}

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { show } from '@temper/core/policy';
import { decodeBase64 } from './base64.ts';

/** Signature type byte of Ed25519 in signed notes. */
const ED25519 = 0x01;
/** DER prefixes of the 32 bytes of a raw key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const SECRET_PREFIX = 'PRIVATE+KEY+';
/** The format allows no white space and no plus sign in the name of a key. */
const NAME = /^[^\s+]+$/u;

/** Signs notes with a local key. Implement it to sign with a key in a KMS or an HSM. */
export interface NoteSigner {
  /** Name of the key, by convention a URL without scheme, such as `example.com/audit`. */
  readonly name: string;
  /** First four bytes of SHA-256 over name, newline, type and public key, as a number. */
  readonly keyId: number;
  /** The matching verifier key, with which the log verifies its own checkpoints at startup. */
  readonly verifierKey: string;
  /** Ed25519 signature over `data`, 64 bytes. */
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Verifies signatures of one key. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyId: number;
  verify(data: Uint8Array, signature: Uint8Array): boolean;
}

/** A new key pair in text encoding. */
export interface SigningKeyPair {
  /** `PRIVATE+KEY+name+id+data`, for {@link noteSigner}. Store it apart from the log. */
  readonly secretKey: string;
  /** `name+id+data`, for {@link noteVerifier} and the option `keys` of a verification. */
  readonly verifierKey: string;
}

/**
 * Generates an Ed25519 key pair for signing checkpoints, in the text encodings of C2SP signed notes
 * (the secret key in that of Go's `sumdb/note`).
 *
 * @throws {TypeError} if the name is empty or contains white space or a plus sign
 */
export function generateSigningKey(name: string): SigningKeyPair {
  checkKeyName(name);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  const raw = rawPublicKey(publicKey);
  const id = hexId(keyIdOf(name, raw));
  return {
    secretKey: `${SECRET_PREFIX}${name}+${id}+${typed(secret)}`,
    verifierKey: `${name}+${id}+${typed(raw)}`,
  };
}

/**
 * Creates a signer from a secret key of {@link generateSigningKey}.
 *
 * @throws {TypeError} if the text is malformed or its key id does not match
 */
export function noteSigner(secretKey: string): NoteSigner {
  const { name, id, raw, privateKey } = openSecretKey(secretKey);
  return {
    name,
    keyId: id,
    verifierKey: formatVerifierKey(name, raw),
    sign: (data) => sign(null, data, privateKey),
  };
}

/** A secret key of {@link generateSigningKey}, decoded. */
interface OpenedSecretKey {
  readonly name: string;
  readonly id: number;
  /** The public key. */
  readonly raw: Buffer;
  readonly privateKey: KeyObject;
}

/** @throws {TypeError} if the text is malformed or its key id does not match */
export function openSecretKey(secretKey: string): OpenedSecretKey {
  if (typeof secretKey !== 'string' || !secretKey.startsWith(SECRET_PREFIX)) {
    throw new TypeError('A secret key must start with PRIVATE+KEY+.');
  }
  const { name, id, key } = parseKey(secretKey.slice(SECRET_PREFIX.length), 'secret key');
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, key]),
    format: 'der',
    type: 'pkcs8',
  });
  const raw = rawPublicKey(createPublicKey(privateKey));
  checkKeyId(name, id, raw, 'secret key');
  return { name, id, raw, privateKey };
}

/**
 * Creates a verifier from a verifier key, `name+id+data`.
 *
 * @throws {TypeError} if the text is malformed or its key id does not match
 */
export function noteVerifier(verifierKey: string): NoteVerifier {
  const { name, id, publicKey } = openVerifierKey(verifierKey, ED25519);
  return {
    name,
    keyId: id,
    verify: (data, signature) =>
      signature.length === 64 && verify(null, data, publicKey, signature),
  };
}

/** A verifier key, decoded. */
interface OpenedVerifierKey {
  readonly name: string;
  readonly id: number;
  readonly publicKey: KeyObject;
}

/**
 * @param type - the signature type of the key
 * @throws {TypeError} if the text is malformed or its key id does not match
 */
export function openVerifierKey(verifierKey: string, type: number): OpenedVerifierKey {
  if (typeof verifierKey !== 'string') throw new TypeError('A verifier key must be a string.');
  const { name, id, key } = parseKey(verifierKey, 'verifier key', type);
  checkKeyId(name, id, key, 'verifier key', type);
  const publicKey = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, key]),
    format: 'der',
    type: 'spki',
  });
  return { name, id, publicKey };
}

/** The text of a verifier key, `name+id+data`. */
export function formatVerifierKey(name: string, raw: Buffer, type: number = ED25519): string {
  return `${name}+${hexId(typedKeyId(name, raw, type))}+${typed(raw, type)}`;
}

/** The key id of an Ed25519 public key, for implementations of {@link NoteSigner}. */
export function keyIdOf(name: string, publicKey: Uint8Array): number {
  return typedKeyId(name, publicKey, ED25519);
}

/** The key id of a public key of a signature type. @see https://c2sp.org/signed-note */
export function typedKeyId(name: string, publicKey: Uint8Array, type: number): number {
  const input = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([type]), publicKey]);
  return hash('sha256', input, 'buffer').readUInt32BE(0);
}

function parseKey(
  text: string,
  what: string,
  type: number = ED25519,
): { name: string; id: number; key: Buffer } {
  const [name = '', id = '', data = '', ...rest] = splitKey(text);
  const bytes = decodeBase64(data);
  if (
    rest.length > 0 ||
    !NAME.test(name) ||
    !/^[0-9a-f]{8}$/.test(id) ||
    bytes.length !== 33 ||
    bytes[0] !== type
  ) {
    throw new TypeError(`The ${what} is not of the form name+hex id+base64 Ed25519 key.`);
  }
  return { name, id: Number.parseInt(id, 16), key: bytes.subarray(1) };
}

/** Splits at the first two plus signs only, because base64 may contain more. */
function splitKey(text: string): readonly string[] {
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  return first < 0 || second < 0
    ? []
    : [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)];
}

function checkKeyId(
  name: string,
  id: number,
  publicKey: Uint8Array,
  what: string,
  type: number = ED25519,
): void {
  if (typedKeyId(name, publicKey, type) !== id) {
    throw new TypeError(
      `The ${what} of ${show(name)} has id ${hexId(id)}, which does not match the key.`,
    );
  }
}

/** @throws {TypeError} if the name of a key is empty or contains white space or a plus sign */
function checkKeyName(name: string): void {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TypeError(
      `The name of a key must not be empty or contain white space or a plus sign, got ${show(name)}.`,
    );
  }
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(-32);
}

function typed(key: Uint8Array, type: number = ED25519): string {
  return Buffer.concat([Buffer.from([type]), key]).toString('base64');
}

function hexId(id: number): string {
  return id.toString(16).padStart(8, '0');
}

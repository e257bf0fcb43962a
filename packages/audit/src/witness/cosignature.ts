import { type KeyObject, sign, verify } from 'node:crypto';
import { type Clock, systemClock } from '@temper/core';
import { parseNote, signatureLine } from '../chain/signed-note.ts';
import {
  formatVerifierKey,
  type NoteSigner,
  type NoteVerifier,
  openSecretKey,
  openVerifierKey,
  typedKeyId,
} from '../chain/signing-key.ts';

/** Signature type byte of timestamped Ed25519 cosignatures. */
const COSIGNATURE_V1 = 0x04;
/** A big-endian u64 of seconds, then the Ed25519 signature. */
const TIME_BYTES = 8;
const SIGNATURE_BYTES = TIME_BYTES + 64;
const MAX_TIME = 2n ** 63n - 1n;

/**
 * A signer of cosignatures: statements of a witness that, at a time, a checkpoint was the largest
 * consistent one it had seen of its log. Uses the secret key of `generateSigningKey`; the key of a
 * cosignature has an id of its own, and its messages a prefix of their own.
 *
 * @throws {TypeError} if the secret key is malformed
 * @see https://c2sp.org/tlog-cosignature
 */
export function cosigner(secretKey: string, clock: Clock = systemClock): NoteSigner {
  const { name, raw, privateKey } = openSecretKey(secretKey);
  return {
    name,
    keyId: typedKeyId(name, raw, COSIGNATURE_V1),
    verifierKey: formatVerifierKey(name, raw, COSIGNATURE_V1),
    sign: (data) => cosign(data, privateKey, BigInt(Math.floor(clock.now() / 1_000))),
  };
}

function cosign(text: Uint8Array, key: KeyObject, time: bigint): Buffer {
  if (time < 0n) throw new RangeError('The clock is before 1970: nothing is cosigned.');
  const head = Buffer.alloc(TIME_BYTES);
  head.writeBigUInt64BE(time);
  return Buffer.concat([head, sign(null, message(text, time), key)]);
}

function message(text: Uint8Array, time: bigint): Buffer {
  return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${time}\n`), text]);
}

/**
 * A verifier of the cosignatures of one witness.
 *
 * @param verifierKey - `name+id+data` with the signature type 4, as `temper-audit witness` prints it
 * @throws {TypeError} if the text is malformed, or is the key of another signature type
 */
export function cosignatureVerifier(verifierKey: string): NoteVerifier {
  const { name, id, publicKey } = openVerifierKey(verifierKey, COSIGNATURE_V1);
  return {
    name,
    keyId: id,
    verify: (text, signature) => {
      if (signature.length !== SIGNATURE_BYTES) return false;
      const time = timeOf(signature);
      return (
        time <= MAX_TIME &&
        verify(null, message(text, time), publicKey, signature.subarray(TIME_BYTES))
      );
    },
  };
}

function timeOf(signature: Uint8Array): bigint {
  return Buffer.from(signature).readBigUInt64BE();
}

/** A valid cosignature of a checkpoint. */
export interface Cosignature {
  /** Name of the witness. */
  readonly witness: string;
  /** When the witness signed, by its own clock, in milliseconds since 1970. */
  readonly time: number;
  /** The line of the note, without a line break. */
  readonly line: string;
}

/**
 * The valid cosignatures of a checkpoint, one for each known witness at most. Lines of unknown keys, and
 * lines that do not verify, are ignored.
 *
 * @throws {TypeError} if the text is not a signed note
 */
export function cosignaturesOf(note: string, verifiers: readonly NoteVerifier[]): Cosignature[] {
  const { text, signatures } = parseNote(note);
  const bytes = Buffer.from(text);
  const found = new Map<NoteVerifier, Cosignature>();
  for (const { name, keyId, signature } of signatures) {
    const verifier = verifiers.find((known) => known.name === name && known.keyId === keyId);
    if (verifier === undefined || !verifier.verify(bytes, signature)) continue;
    const line = signatureLine({ name, keyId, signature });
    const time = Number(timeOf(signature)) * 1_000;
    const known = found.get(verifier);
    if (known === undefined || known.time < time)
      found.set(verifier, { witness: name, time, line });
  }
  return [...found.values()];
}

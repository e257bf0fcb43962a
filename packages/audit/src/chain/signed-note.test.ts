import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openNote, parseNote, signNote } from './signed-note.ts';
import { generateSigningKey, keyIdOf, noteSigner, noteVerifier } from './signing-key.ts';

/** The example of the C2SP specification. */
const EXAMPLE_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const EXAMPLE_NOTE =
  'This is an example message.\n\n' +
  '— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
/** Key and signed note of the tests of Go's sumdb/note. */
const GO_SECRET = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const GO_VERIFIER = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_TEXT =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n";
const GO_SIGNATURE =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

describe('signed notes', () => {
  it('opens the example note of the C2SP specification', () => {
    expect(openNote(EXAMPLE_NOTE, [noteVerifier(EXAMPLE_KEY)])).toEqual({
      text: 'This is an example message.\n',
      signedBy: ['example.com/foo'],
    });
  });

  it("signs byte for byte what Go's sumdb/note signs", async () => {
    const signer = noteSigner(GO_SECRET);
    expect(signer.verifierKey).toBe(GO_VERIFIER);
    expect(await signNote(GO_TEXT, [signer])).toBe(`${GO_TEXT}\n${GO_SIGNATURE}`);
  });

  it('opens every note it signed and rejects every changed one', async () => {
    const { secretKey, verifierKey } = generateSigningKey('example.com/audit');
    const text = fc.string().map((s) => `${s.replaceAll(/[^\n\u0020-\uffff]/gu, '')}\n`);
    await fc.assert(
      fc.asyncProperty(text, fc.nat(), async (body, at) => {
        if (!body.isWellFormed()) return;
        const note = await signNote(body, [noteSigner(secretKey)]);
        expect(openNote(note, [noteVerifier(verifierKey)]).text).toBe(body);
        const index = at % body.length;
        const changed = `${note.slice(0, index)}#${note.slice(index)}`;
        expect(() => openNote(changed, [noteVerifier(verifierKey)])).toThrow(TypeError);
      }),
      { numRuns: 50 },
    );
  });

  it('ignores signatures of unknown keys and rejects a note without a known one', async () => {
    const known = generateSigningKey('known');
    const other = generateSigningKey('known');
    const note = await signNote('text\n', [
      noteSigner(other.secretKey),
      noteSigner(known.secretKey),
    ]);
    expect(openNote(note, [noteVerifier(known.verifierKey)]).signedBy).toEqual(['known']);
    const stranger = generateSigningKey('stranger');
    expect(() => openNote(note, [noteVerifier(stranger.verifierKey)])).toThrow('No known key');
  });

  it('rejects the note when the signature of a known key is invalid', async () => {
    const first = generateSigningKey('first');
    const second = generateSigningKey('second');
    const bad = { ...noteSigner(first.secretKey), sign: () => new Uint8Array(64) };
    const note = await signNote('text\n', [bad, noteSigner(second.secretKey)]);
    const verifiers = [noteVerifier(first.verifierKey), noteVerifier(second.verifierKey)];
    expect(() => openNote(note, verifiers)).toThrow("The signature of 'first' does not match");
  });

  it.each([
    ['no signatures', 'text\n'],
    ['no newline at the end', 'text\n\n— a AAAAAAAA'],
    ['a hyphen instead of a dash', 'text\n\n- a AAAAAAAA\n'],
    ['no key name', 'text\n\n—  AAAAAAAA\n'],
    ['a truncated signature', 'text\n\n— a AAAA\n'],
    ['a control character', 'te\u0001xt\n\n— a AAAAAAAA\n'],
    ['too many signatures', `text\n\n${'— a AAAAAAAA\n'.repeat(101)}`],
    ['more than 1 MiB of text', `${'x'.repeat(1024 * 1024)}\n\n— a AAAAAAAA\n`],
  ])('rejects a note with %s', (_, note) => {
    expect(() => parseNote(note)).toThrow(TypeError);
  });
});

describe('signing keys', () => {
  it('generates a matching key pair', () => {
    const { secretKey, verifierKey } = generateSigningKey('example.com/audit');
    expect(noteSigner(secretKey).verifierKey).toBe(verifierKey);
    expect(noteVerifier(verifierKey).keyId).toBe(noteSigner(secretKey).keyId);
  });

  it('computes the key id of an external public key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    const keyId = keyIdOf('kms', raw);
    const encoded = Buffer.concat([Buffer.of(1), raw]).toString('base64');
    const verifierKey = `kms+${keyId.toString(16).padStart(8, '0')}+${encoded}`;
    const verifier = noteVerifier(verifierKey);
    const remote = {
      name: 'kms',
      keyId,
      verifierKey,
      sign: async (data: Uint8Array) => sign(null, data, privateKey),
    };
    expect(openNote(await signNote('text\n', [remote]), [verifier]).signedBy).toEqual(['kms']);
  });

  it('rejects malformed keys', () => {
    expect(() => generateSigningKey('two words')).toThrow(
      'must not be empty or contain white space',
    );
    expect(() => generateSigningKey('a+b')).toThrow('white space or a plus sign');
    expect(() => noteSigner('something else')).toThrow('PRIVATE+KEY+');
    expect(() => noteSigner(GO_SECRET.slice(0, -4))).toThrow(TypeError);
    expect(() => noteVerifier(EXAMPLE_KEY.replace('530d903a', '530d903b'))).toThrow(
      'does not match the key',
    );
    expect(() => noteVerifier('example.com/foo')).toThrow(TypeError);
  });
});

import { describe, expect, it } from 'vitest';
import { openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { leafHash } from './merkle.ts';
import { signNote } from './signed-note.ts';
import { generateSigningKey, noteSigner, noteVerifier } from './signing-key.ts';

const { secretKey, verifierKey } = generateSigningKey('example.com/audit');
const signer = noteSigner(secretKey);
const root = leafHash(Buffer.from('an event'));

describe('checkpoints', () => {
  it('writes origin, size and root on three lines', async () => {
    const note = await signCheckpoint({ origin: 'example.com/audit', size: 12, root }, [signer]);
    expect(note.split('\n').slice(0, 4)).toEqual([
      'example.com/audit',
      '12',
      root.toString('base64'),
      '',
    ]);
    expect(parseCheckpoint(note)).toEqual({ origin: 'example.com/audit', size: 12, root });
    expect(openCheckpoint(note, [noteVerifier(verifierKey)]).size).toBe(12);
  });

  it('reads the example checkpoint of the C2SP specification', () => {
    const note =
      'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n' +
      '— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n';
    expect(parseCheckpoint(note).size).toBe(20_852_163);
  });

  it('ignores extension lines', async () => {
    const note = await signNote(`log\n1\n${root.toString('base64')}\nan extension\n`, [signer]);
    expect(parseCheckpoint(note).size).toBe(1);
  });

  it.each([
    ['no origin', `\n1\n${root.toString('base64')}\n`],
    ['a size with a leading zero', `log\n01\n${root.toString('base64')}\n`],
    ['a negative size', `log\n-1\n${root.toString('base64')}\n`],
    ['a size beyond safe integers', `log\n9007199254740993\n${root.toString('base64')}\n`],
    ['a truncated root', 'log\n1\nAAAA\n'],
    ['a root that is not base64', `log\n1\n${'*'.repeat(44)}\n`],
    ['an empty extension line', `log\n1\n${root.toString('base64')}\n\nmore\n`],
  ])('rejects a checkpoint with %s', async (_, text) => {
    const note = await signNote(text, [signer]);
    expect(() => parseCheckpoint(note)).toThrow(TypeError);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, packTarball, unpackTarball } from './tarball.ts';

const path = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}(?:\/[a-z][a-z0-9_-]{0,8}){0,3}\.pc$/);
const files = fc
  .dictionary(path, fc.uint8Array({ maxLength: 2_000 }), { minKeys: 1, maxKeys: 8 })
  .map((entries) => ({ ...entries }));

describe('a tarball', () => {
  it('unpacking a tarball returns the packed files', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (packed) => {
        const unpacked = await unpackTarball(await packTarball(packed));
        if (!unpacked.ok) throw new Error(JSON.stringify(unpacked.flaws));
        expect([...unpacked.files.keys()]).toEqual(Object.keys(packed).sort());
        for (const [name, content] of Object.entries(packed)) {
          expect(Buffer.from(unpacked.files.get(name)!).equals(content)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('a tarball depends only on its files, not on their order or the time', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (packed) => {
        const reversed = Object.fromEntries(Object.entries(packed).reverse());
        expect(digestOf(await packTarball(reversed))).toEqual(digestOf(await packTarball(packed)));
      }),
      { numRuns: 25 },
    );
  });

  it('unpacking damaged data reports an error and never throws', async () => {
    const good = await packTarball({ 'package.json': '{}', 'main.pc': 'x'.repeat(500) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 5,
        }),
        async (changes) => {
          const damaged = Buffer.from(good);
          for (const [at, value] of changes) damaged[at] = value;
          const result = await unpackTarball(damaged);
          if (!result.ok) expect(result.flaws.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 200 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
        expect((await unpackTarball(noise)).ok).toBe(false);
      }),
    );
  });
});

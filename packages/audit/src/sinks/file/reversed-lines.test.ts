import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reversed } from './reversed-lines.ts';

const batches = fc.array(fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }), {
  maxLength: 12,
});

describe('reversed', () => {
  it('returns all lines in reverse order, whatever the window', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.integer({ min: 0, max: 60 }), async (all, window) => {
        const found: string[] = [];
        const forward = async function* (): AsyncGenerator<readonly string[]> {
          yield* all;
        };
        for await (const lines of reversed(forward, window)) found.push(...lines);
        expect(found).toEqual(all.flat().reverse());
      }),
    );
  });

  it('reads again only when the window is exceeded, and no further than needed', async () => {
    const read: number[] = [];
    const forward = async function* (): AsyncGenerator<readonly string[]> {
      const pass = read.push(0) - 1;
      for (let i = 0; i < 10; i++) {
        read[pass] = (read[pass] as number) + 1;
        yield ['0123456789'];
      }
    };
    const passes = async (window: number): Promise<readonly number[]> => {
      read.length = 0;
      for await (const _ of reversed(forward, window));
      return [...read];
    };
    expect(await passes(100)).toEqual([10]);
    expect(await passes(50)).toEqual([10, 5]);
    expect(await passes(30)).toEqual([10, 7, 4, 1]);
  });

  it('stops reading when the reader stops', async () => {
    let passes = 0;
    const forward = async function* (): AsyncGenerator<readonly string[]> {
      passes++;
      for (let i = 0; i < 10; i++) yield [String(i)];
    };
    for await (const [line] of reversed(forward, 1)) {
      expect(line).toBe('9');
      break;
    }
    expect(passes).toBe(1);
  });
});

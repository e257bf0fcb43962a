import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LastGood } from './last-good.ts';

describe('last good answers', () => {
  it('are dropped when they are older than the limit, and not before', () => {
    let now = 0;
    const answers = new LastGood<string>(10, 100, () => now);
    answers.remember('a', 'A', answers.ask());
    now = 100;
    expect(answers.recall('a')).toEqual({ value: 'A', ageMs: 100 });
    now = 101;
    expect(answers.recall('a')).toBeUndefined();
    expect(answers.size).toBe(0);
  });

  it('are those to the latest questions, in whatever order they come', () => {
    const answers = new LastGood<string>(10, 100, () => 0);
    const [first, second, third] = [answers.ask(), answers.ask(), answers.ask()];
    answers.remember('a', 'second', second);
    answers.remember('a', 'first', first);
    expect(answers.recall('a')?.value).toBe('second');
    answers.remember('a', 'third', third);
    expect(answers.recall('a')?.value).toBe('third');
  });

  it('are, of any sequence of uses, the most recently used ones', () => {
    const step = fc.record({ write: fc.boolean(), key: fc.constantFrom(...'abcdefgh') });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), fc.array(step), (max, steps) => {
        const answers = new LastGood<string>(max, 100, () => 0);
        let recent: string[] = [];
        for (const { write, key } of steps) {
          if (write) {
            answers.remember(key, key, answers.ask());
            recent = [...recent.filter((one) => one !== key), key].slice(-max);
            if (max === 0) recent = [];
          } else {
            const known = recent.includes(key);
            expect(answers.recall(key)?.value).toBe(known ? key : undefined);
            if (known) recent = [...recent.filter((one) => one !== key), key];
          }
          expect(answers.size).toBe(recent.length);
        }
      }),
    );
  });
});

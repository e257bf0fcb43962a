import { describe, expect, it } from 'vitest';
import { messageOf } from './text.ts';

describe('messageOf', () => {
  it.each<[unknown, string]>([
    [new Error('no route'), 'no route'],
    ['plain words', 'plain words'],
    [{ message: 'shaped as an error' }, 'shaped as an error'],
    [{ ok: false }, 'an object'],
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), 'an object'],
    [[1, 2], 'an array of 2'],
    [Object.assign(new Error('x'), { message: 5 }), 'Error'],
  ])('of %o is %s', (failure, expected) => {
    expect(messageOf(failure)).toBe(expected);
  });

  it('does not throw what a getter throws', () => {
    const hostile = {
      get message() {
        throw new Error('hostile');
      },
    };
    expect(messageOf(hostile)).toBe('an object that cannot be described');
  });
});

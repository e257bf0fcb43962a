import type { Parser } from '@temper/testkit/repository/fuzz';
import { ReplyReader } from '../src/replies.ts';

const reader = new ReplyReader('fuzz');

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'numbers in replies',
    accepted: ['0', '-1.5', '12e3', '1e-7'],
    refused: ['', '1.', 'OK', '1e999', '0x10', ' 1', 'Infinity'],
    refusal: (error) => error instanceof TypeError && error.message.length < 300,
    parse: (text) => {
      const number = reader.number(text);
      if (!Number.isFinite(number)) throw new Error(`read ${number}`);
      return number;
    },
  },
  {
    name: 'lists and words in replies',
    accepted: ['["closed",1]', '["open",2,3]'],
    refused: ['"OK"', '[]', '["ajar",1]', '{"0":"open","length":2}', '[null,1]'],
    refusal: (error) => error instanceof TypeError && error.message.length < 300,
    parse: (text) => {
      let reply: unknown;
      try {
        reply = JSON.parse(text);
      } catch {
        return undefined;
      }
      const [state] = reader.list(reply, 2);
      return reader.word(state, ['closed', 'open']);
    },
  },
];

import type { Parser } from '@temper/testkit/repository/fuzz';
import { chooseMediaType } from '../src/http/media-type.ts';

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'Accept',
    accepted: ['*/*', 'application/json;q=0.5, text/plain;q=0.9', 'application/health+json'],
    parse: (text) => {
      const type = chooseMediaType(text);
      if (!/^(?:text\/plain|application\/(?:health\+)?json)$/.test(type)) throw new Error(type);
      return type;
    },
  },
];

import type { Parser } from '@temper/testkit/repository/fuzz';
import { readState } from '../src/scaling/state.ts';
import { readTraces } from '../src/tuning/trace.ts';

const HEADER =
  '{"format":"temper-trace","version":1,"name":"registry","settings":{"maxAttempts":3}}';
const CALL =
  '{"at":1700000000000,"ms":152.4,"ok":true,"tries":[[1,1,0,20.1,"failed"],[2,1,121.3,31.1,"answered"]]}';
const FITS = { season: 'day', model: 'additive', slotMs: 21_600_000, timeZone: 'UTC' };
const ACCURACY = { errors: 1, naive: 2, squares: 3, naiveSquares: 4, samples: 5 };
const LEARNED = { level: 1, trend: 0.5, season: [1, 2, 3, 4], ready: true };

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'recorded calls',
    accepted: [`${HEADER}\n${CALL}\n`, `${HEADER}\n\n${CALL}\n${HEADER}`],
    refused: [
      CALL,
      'null',
      `${HEADER}\n{"at":1}`,
      HEADER.replace('1,', '2,'),
      `${HEADER}\n${CALL.slice(2)}`,
    ],
    refusal: (error) =>
      (error instanceof TypeError || error instanceof RangeError) &&
      error.message.startsWith('readTraces: ') &&
      error.message.length < 1000,
    parse: (text) => readTraces(text),
  },
  {
    name: 'states of scaling signals',
    accepted: [
      JSON.stringify({
        version: 1,
        at: 1,
        ...FITS,
        accuracy: ACCURACY,
        learned: LEARNED,
        desired: 3,
      }),
      JSON.stringify({ version: 1, at: 1, ...FITS, accuracy: ACCURACY }),
    ],
    refused: [
      'null',
      '{"version":2}',
      JSON.stringify({ version: 1, at: 1, ...FITS, accuracy: {} }),
    ],
    parse: (text) => {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return undefined;
      }
      const read = readState(value, FITS as never, 4);
      return typeof read === 'string' ? undefined : read;
    },
  },
];

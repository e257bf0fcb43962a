import { fuzz } from '@temper/testkit/repository/fuzz';
import { expect, it } from 'vitest';
import { PARSERS } from './parsers.ts';

// The long version, with the growth of the time: node scripts/fuzz.mjs.
it.each(PARSERS)('fuzzing $name ends in a value or in a refusal', (parser) => {
  const { accepted, refused } = fuzz(parser, 1500);
  expect(accepted).toBeGreaterThan(0);
  if (parser.refused !== undefined) expect(refused).toBeGreaterThan(100);
});

import { getHeapStatistics } from 'node:v8';
import { expect, it } from 'vitest';
import { flaggedSemiSpace, youngGenerationBytes } from './young-generation.ts';

it('is a part of the heap limit, found once', async () => {
  const bytes = await youngGenerationBytes();
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(getHeapStatistics().heap_size_limit);
  expect(youngGenerationBytes()).toBe(youngGenerationBytes());
});

it.each([
  [[], undefined, undefined],
  [['--max-semi-space-size=64'], undefined, 64],
  [['--max_semi_space_size', '48'], undefined, 64],
  [['--max-old-space-size=64'], '--max-semi-space-size=8 --inspect', 8],
  [['--max-semi-space-size=16'], '--max-semi-space-size=8', 16],
  [['--min-semi-space-size=16'], '', undefined],
  [['--max-semi-space-size=0'], '', undefined],
] as const)('reads the flag from %j and %j', (execArgv, nodeOptions, mebibytes) => {
  expect(flaggedSemiSpace(execArgv, nodeOptions)).toBe(mebibytes);
});

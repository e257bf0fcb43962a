import { defineConfig } from 'vitest/config';

// Suites that start real servers and processes: one file at a time, with patience. They measure real time on
// machines that do other things besides: a test that fails is run once more, and one that passes only then
// is named `UNSTEADY` by scripts/count-tests.mjs. It is a fault to be found, not a pass.
export default defineConfig({
  test: {
    include: ['test/servers/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    retry: 1,
    passWithNoTests: false,
    // What failed is printed whole: scripts/count-tests.mjs has no diff, only the message.
    chaiConfig: { truncateThreshold: 2000 },
    reporters: ['default', ['json', { outputFile: 'test-results/servers.json' }]],
  },
});

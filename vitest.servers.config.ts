import { defineConfig } from 'vitest/config';

// Suites that start real servers and processes: one file at a time, with patience.
export default defineConfig({
  test: {
    include: ['test/servers/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    passWithNoTests: false,
    reporters: ['default', ['json', { outputFile: 'test-results/servers.json' }]],
  },
});

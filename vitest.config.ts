import { defineConfig } from 'vitest/config';

// Every package runs its unit tests with this file, from its own folder.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/servers/**', 'dist/**', 'node_modules/**'],
    // Patience for machines that do other things besides; nothing waits for this on purpose.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    reporters: ['default', ['json', { outputFile: 'test-results/unit.json' }]],
    typecheck: { enabled: false },
  },
});

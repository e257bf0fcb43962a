import { defineConfig } from 'vitest/config';

// Every package runs its unit tests with this file, from its own folder.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/servers/**', 'dist/**', 'node_modules/**'],
    reporters: ['default', ['json', { outputFile: 'test-results/unit.json' }]],
    typecheck: { enabled: false },
  },
});

import { defineConfig } from 'vitest/config';
import shared from '../vitest.config.ts';

// Runs from the root: `pnpm test:scripts`.
export default defineConfig({
  test: {
    ...shared.test,
    include: ['scripts/**/*.test.mjs'],
    reporters: ['default', ['json', { outputFile: 'scripts/test-results/unit.json' }]],
  },
});

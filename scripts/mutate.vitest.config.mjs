import { defineConfig } from 'vitest/config';
import shared from '../vitest.config.ts';

// The unit tests of a package, as `pnpm mutate` runs them: once for each mutant, so nothing is reported. What counts
// its way to every mutant takes several times as long. Simulations take seconds each, and would do so for each mutant
// of a limiter.
export default defineConfig({
  test: {
    ...shared.test,
    exclude: [...shared.test.exclude, '**/*.simulation.test.ts'],
    testTimeout: 120_000,
    reporters: [],
  },
});

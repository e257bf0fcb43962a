import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/**
 * Files whose outcome does not depend on how fast the machine is: they wait for something that comes, with much
 * patience, or compute. Two of them run at a time, before all others.
 */
const TWO_AT_A_TIME = [
  // Of observability: two wait for minutes, for scenarios of the demo and for circuits; the others compute.
  'test/servers/dashboards.test.ts',
  'test/servers/prometheus.test.ts',
  'test/servers/alerts.test.ts',
  'test/servers/rules.test.ts',
];

// Suites that start real servers and processes: one file at a time, with patience. They measure real time on
// machines that do other things besides: a test that fails is run once more, and one that passes only then
// is named `UNSTEADY` by scripts/count-tests.mjs. It is a fault to be found, not a pass.
export default defineConfig({
  test: {
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    retry: 1,
    passWithNoTests: false,
    setupFiles: [join(import.meta.dirname, 'scripts/property-tests.ts')],
    // What failed is printed whole: scripts/count-tests.mjs has no diff, only the message.
    chaiConfig: { truncateThreshold: 2000 },
    reporters: ['default', ['json', { outputFile: 'test-results/servers.json' }]],
    projects: [
      {
        extends: true,
        test: {
          name: 'two at a time',
          include: TWO_AT_A_TIME,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/servers/**/*.test.ts'],
          exclude: TWO_AT_A_TIME,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

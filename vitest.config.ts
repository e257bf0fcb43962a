import { basename, dirname, join } from 'node:path';
import { defineConfig } from 'vitest/config';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
/** Undici 8 needs Node 22.19. */
const undici = major < 22 || (major === 22 && minor < 19) ? 'undici-7' : 'undici';

/**
 * Packages whose unit tests are held to leave nothing behind. The programs, and the long suites of audit and
 * recovery, are not among them yet.
 */
const WATCHED = [
  'breaker',
  'core',
  'forecast',
  'health',
  'parsercraft-handlers',
  'ratelimit',
  'redis',
  'retry',
  'runbooks',
  'shutdown',
  'testkit',
];
const watched =
  basename(dirname(process.cwd())) === 'packages' && WATCHED.includes(basename(process.cwd()));

// Every package runs its unit tests with this file, from its own folder.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/servers/**', 'dist/**', 'node_modules/**'],
    // Patience for machines that do other things besides; nothing waits for this on purpose.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: 2,
    // Not in the order of the files: no test may count on the one before it. `--sequence.seed` gives another order.
    sequence: { shuffle: { files: true, tests: true }, seed: 20_261_130 },
    // What failed is printed whole: scripts/count-tests.mjs has no diff, only the message.
    chaiConfig: { truncateThreshold: 2000 },
    reporters: ['default', ['json', { outputFile: 'test-results/unit.json' }]],
    typecheck: { enabled: false },
    alias: [{ find: /^undici$/, replacement: undici }],
    setupFiles: [
      join(import.meta.dirname, 'scripts/property-tests.ts'),
      ...(watched ? [join(import.meta.dirname, 'scripts/nothing-else.ts')] : []),
      ...(major < 22 ? [join(import.meta.dirname, 'scripts/older-node.ts')] : []),
    ],
  },
});

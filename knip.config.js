// What `pnpm check:unused` takes for used. Each entry beyond the defaults has its reason beside it.

/** @type {import('knip').KnipConfig} */
export default {
  workspaces: {
    '.': {
      // Programs, run by name from package.json, .ci/run and bootstrap.mjs, and their tests.
      entry: ['scripts/*.mjs', 'scripts/**/*.test.mjs'],
      project: ['scripts/**/*.mjs'],
      // Run by .ci/run, and loaded by Stryker by its name.
      ignoreDependencies: ['publint', '@stryker-mutator/vitest-runner'],
    },
    'packages/*': {
      entry: [
        'src/**/*.test.ts',
        'test/**/*.test.ts',
        // Checked by the compiler alone.
        'src/**/*.type-test.ts',
        // Programs that tests run as processes of their own, by path.
        'test/programs/*',
        'test/servers/fixtures/*.ts',
        'test/servers/*-worker.ts',
      ],
      project: ['src/**/*.ts', 'test/**/*.{ts,mjs}'],
    },
    'packages/recovery': {
      entry: [
        'src/**/*.test.ts',
        'test/**/*.test.ts',
        'test/programs/*',
        'test/servers/fixtures/*.ts',
        // Run by package.json and the suite beside it, and in its worker.
        'test/servers/soak/{main,faults}.ts',
      ],
      project: ['src/**/*.ts', 'test/**/*.{ts,mjs}'],
      // Under a Node that Undici 8 does not support, vitest.config.ts takes it for `undici`.
      ignoreDependencies: ['undici-7'],
    },
    'apps/*': {
      entry: [
        'src/main.ts',
        'src/**/*.test.ts',
        'test/**/*.test.ts',
        // Preloaded with --import by the fuzz suite.
        'test/servers/*.mjs',
      ],
      project: ['src/**/*.ts', 'test/**/*.{ts,mjs}'],
    },
    'apps/demo': {
      entry: [
        'src/main.ts',
        'src/**/*.test.ts',
        'test/**/*.test.ts',
        'test/servers/*.mjs',
        // Forked by worker-process.ts, and by its tests.
        'src/workers/main.ts',
        'test/programs/*.ts',
        // Loaded by page/index.html.
        'page/src/{main,theme}.ts',
        // Run by package.json.
        'page/*.mjs',
      ],
      project: ['src/**/*.ts', 'test/**/*.{ts,mjs}', 'page/**/*.{ts,mjs}'],
      // Imported by the program that the test of the OpenAPI document writes.
      ignoreDependencies: ['openapi-fetch'],
    },
    bench: {
      entry: [
        'src/run.ts',
        'src/**/*.test.ts',
        // Forked by run.ts for each suite.
        'src/worker.ts',
        // Found by their place by suite.ts.
        'src/*/*.ts',
        // Checked by the compiler alone.
        'test/*.type-test.ts',
      ],
      project: ['src/**/*.ts', 'test/**/*.ts'],
    },
    clients: {
      entry: ['test/**/*.test.ts'],
      project: ['test/**/*.ts'],
    },
    drain: {
      entry: [
        // Run by package.json, and started by run.ts as a process of its own.
        'src/{table,service}.ts',
        'test/**/*.test.ts',
      ],
      project: ['src/**/*.ts', 'test/**/*.ts'],
      // Next loads React; the suite starts PM2 by its path.
      ignoreDependencies: ['react', 'react-dom', 'pm2'],
    },
    compat: {
      // Run by .ci/run and the workflow, and the environments that run.mjs finds by their place.
      entry: ['run.mjs', 'built.mjs', 'environments/*.mjs', 'test/**/*.test.mjs'],
      // The programs in fixtures are copied into the environments, and import what is installed there.
      project: ['**/*.mjs', '!fixtures/**'],
    },
    simulation: {
      // Run by package.json.
      entry: ['test/{main,measure}.ts', 'test/**/*.test.ts'],
      project: ['test/**/*.ts'],
    },
    observability: {
      // generate.ts is run by package.json; cli.ts is what bundle.mjs puts into the command.
      entry: ['src/generate.ts', 'src/cli.ts', 'src/**/*.test.ts', 'test/**/*.test.ts'],
      project: ['src/**/*.ts', 'test/**/*.ts'],
    },
  },
  // One list of patterns serves all packages, and not each package has a file for each pattern.
  treatConfigHintsAsErrors: false,
  // System programs that tests start; .ci/run installs what a machine lacks.
  ignoreBinaries: ['cc', 'nvim', 'mount', 'umount', 'unshare', 'openssl', 'redis-server'],
};

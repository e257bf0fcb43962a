// Bundles of a service that uses the packages: each runs, in both module systems, and what is not used is
// left out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SERVICE = `
import { circuitBreaker, CircuitOpenError } from '@temper/breaker';
import { pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';

export async function main() {
  let calls = 0;
  const policy = pipeline(
    { name: 'p' },
    timeout({ name: 't', timeoutMs: 10_000 }),
    retry({ name: 'r', maxAttempts: 2, initialDelayMs: 1 }),
    circuitBreaker({ name: 'b', failureThreshold: 100 }),
  );
  const value = await policy.execute(() => {
    if (++calls === 1) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    return calls;
  });
  const breaker = circuitBreaker({ name: 'c' });
  breaker.isolate();
  const { error } = await breaker.tryExecute(() => 1);
  console.log(value, error instanceof CircuitOpenError, error.name);
}
main();
`;

/** Options of Vite for a build with this file, whose dependencies are all in it. */
const viteOutput = (format) =>
  `rollupOptions: { output: { format: '${format}', entryFileNames: '${fileOf(format)}' } }`;

/** What each bundler is told, by the format of its output. `out.mjs` or `out.cjs` is made. */
const BUNDLERS = [
  {
    id: 'esbuild',
    title: 'esbuild',
    packages: ['esbuild@0.28'],
    program: (format) => `
      import { build } from 'esbuild';
      await build({ entryPoints: ['service.mjs'], bundle: true, minify: true, platform: 'node',
        format: '${format}', outfile: '${fileOf(format)}' });`,
  },
  {
    id: 'rollup',
    title: 'Rollup',
    packages: ['rollup@4', '@rollup/plugin-node-resolve@16', '@rollup/plugin-commonjs@29'],
    program: (format) => `
      import commonjs from '@rollup/plugin-commonjs';
      import nodeResolve from '@rollup/plugin-node-resolve';
      import { rollup } from 'rollup';
      const bundle = await rollup({ input: 'service.mjs', plugins: [nodeResolve({ preferBuiltins: true }), commonjs()],
        onwarn: ({ code, message }) => { if (code !== 'CIRCULAR_DEPENDENCY' && code !== 'THIS_IS_UNDEFINED') throw new Error(message); } });
      await bundle.write({ file: '${fileOf(format)}', format: '${format}', inlineDynamicImports: true });`,
  },
  {
    id: 'vite',
    title: 'Vite, a build for servers',
    packages: ['vite@8'],
    program: (format) => `
      import { build } from 'vite';
      await build({ logLevel: 'warn', ssr: { noExternal: true }, build: { ssr: 'service.mjs', emptyOutDir: false, outDir: '.', minify: true,
        ${viteOutput(format)} } });`,
  },
  {
    id: 'vite-browser',
    title: 'Vite, a build for browsers',
    packages: ['vite@8'],
    browser: true,
    program: (format) => `
      import { build } from 'vite';
      await build({ logLevel: 'warn', build: { lib: { entry: 'service.mjs', formats: ['${format}'] }, emptyOutDir: false, outDir: '.', minify: true,
        ${viteOutput(format)} } });`,
  },
  {
    id: 'webpack-5-browser',
    title: 'webpack 5, a build for browsers',
    packages: ['webpack@5'],
    browser: true,
    program: (format) => `
      import webpack from 'webpack';
      const stats = await new Promise((resolve, reject) => webpack({
        mode: 'production', target: 'web', entry: './service.mjs', context: import.meta.dirname, performance: false,
        ${format === 'esm' ? "experiments: { outputModule: true }, output: { path: import.meta.dirname, filename: 'out.mjs', module: true, chunkFormat: 'module' }" : "output: { path: import.meta.dirname, filename: 'out.cjs' }"},
      }, (error, result) => error ? reject(error) : resolve(result)));
      const { errors, warnings } = stats.toJson();
      if (errors.length + warnings.length > 0) throw new Error(JSON.stringify([...errors, ...warnings].map(({ message }) => message)));`,
  },
  {
    id: 'webpack-5',
    title: 'webpack 5',
    packages: ['webpack@5'],
    program: (format) => `
      import webpack from 'webpack';
      const stats = await new Promise((resolve, reject) => webpack({
        mode: 'production', target: 'node22', entry: './service.mjs', context: import.meta.dirname,
        ${format === 'esm' ? "experiments: { outputModule: true }, output: { path: import.meta.dirname, filename: 'out.mjs', module: true, chunkFormat: 'module' }" : "output: { path: import.meta.dirname, filename: 'out.cjs' }"},
      }, (error, result) => error ? reject(error) : resolve(result)));
      const { errors, warnings } = stats.toJson();
      if (errors.length + warnings.length > 0) throw new Error(JSON.stringify([...errors, ...warnings].map(({ message }) => message)));`,
  },
];

function fileOf(format) {
  return format === 'esm' ? 'out.mjs' : 'out.cjs';
}

export default BUNDLERS.map(({ id, title, packages, program, browser = false }) => ({
  id: `bundlers-${id}`,
  group: 'Bundlers',
  title,
  short: id === 'esbuild',
  async run(env) {
    await env.install(['@temper/recovery', '@temper/retry', '@temper/breaker', ...packages]);
    env.write('service.mjs', SERVICE);
    env.write('away/package.json', '{ "private": true }');
    const sizes = {};
    for (const format of ['esm', 'cjs']) {
      env.write('build.mjs', program(format));
      await env.exec('node', ['build.mjs']);
      const text = readFileSync(join(env.dir, fileOf(format)), 'utf8');
      if (browser)
        assert.doesNotMatch(text, /(?:\bfrom|\bimport|\brequire\(|\bimport\() ?["'`]node:/);
      sizes[format] = Math.round(text.length / 1000);
      // Run where no package can be found: everything must be in the bundle.
      env.write(`away/${fileOf(format)}`, text);
      await env.exec('mv', ['node_modules', 'hidden']);
      const { stdout } = await env.exec('node', [`away/${fileOf(format)}`]);
      await env.exec('mv', ['hidden', 'node_modules']);
      assert.equal(stdout, '2 true CircuitOpenError\n', format);
      // Of other entry points and of exports that the service does not use.
      for (const unused of ['HEDGE_FAILED', 'CHAOS_FAULT', 'PIPELINE_RELOAD']) {
        assert.ok(!text.includes(unused), `${format}: ${unused} is in the bundle`);
      }
    }
    return {
      loaded: packages.map((one) => env.versionOf(one.slice(0, one.lastIndexOf('@')))),
      asserted: [
        `the bundle runs alone, as ESM and as ${browser ? 'a script' : 'CommonJS'}`,
        ...(browser ? ['nothing is imported from node:'] : []),
        `hedge, chaos and named pipelines are left out (${sizes.esm} KB before compression)`,
      ],
    };
  },
}));

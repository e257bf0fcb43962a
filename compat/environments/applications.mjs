// Programs that are CommonJS whether they want it or not: test runners with their defaults, and NestJS.
import assert from 'node:assert/strict';

const TEST = `
const { CircuitOpenError, circuitBreaker } = require('@temper/breaker');
const { tokenBucket } = require('@temper/ratelimit');
const { clientRateLimit } = require('@temper/ratelimit/http');
const { retry, retryDetails } = require('@temper/retry');

test('a retry, its details, and a refusal', async () => {
  let calls = 0;
  const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  const policy = retry({ name: 'r', maxAttempts: 2, initialDelayMs: 1, attemptTimeoutMs: 10_000 });
  await expect(policy.execute(() => { calls++; throw error; })).rejects.toBe(error);
  expect(calls).toBe(2);
  expect(retryDetails(error).attempts).toBe(2);
  const breaker = circuitBreaker({ name: 'b' });
  breaker.isolate();
  await expect(breaker.execute(() => 1)).rejects.toBeInstanceOf(CircuitOpenError);
  expect(tokenBucket({ name: 't', limit: 1 }).tryAcquire()).toBeDefined();
  expect(typeof clientRateLimit).toBe('function');
});
`;

const TYPED_TEST = TEST.replaceAll(
  /const (\{.*\}) = require\((.*)\);/g,
  'import $1 from $2;',
).replace('retryDetails(error).attempts', 'retryDetails(error)?.attempts');

const PACKAGES = ['@temper/breaker', '@temper/ratelimit', '@temper/retry'];

const jest = (version) => ({
  id: `modules-jest-${version}`,
  group: 'Test runners',
  title: `Jest ${version} with its defaults`,
  short: version === 30,
  async run(env) {
    await env.install(PACKAGES, [`jest@${version}`]);
    env.write('policy.test.js', TEST);
    const { stderr } = await env.exec('node', ['node_modules/jest/bin/jest.js']);
    assert.match(stderr, /Tests: +1 passed, 1 total/);
    return {
      loaded: [env.versionOf('jest')],
      asserted: ['a CommonJS test loads four entry points'],
    };
  },
});

const SERVICE = `
import 'reflect-metadata';
import { Controller, Get, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { circuitBreaker } from '@temper/breaker';
import { healthMonitor } from '@temper/health';
import { eventLoopDelayCheck } from '@temper/health/checks';
import { pipeline } from '@temper/recovery';
import { retry } from '@temper/retry';

@Injectable()
class Prices implements OnApplicationShutdown {
  readonly health = healthMonitor({ name: 'prices' });
  readonly #policy = pipeline(
    { name: 'prices' },
    retry({ name: 'prices', maxAttempts: 3, initialDelayMs: 1 }),
    circuitBreaker({ name: 'prices', failureThreshold: 10 }),
  );
  #calls = 0;

  constructor() {
    this.health.register(eventLoopDelayCheck());
  }

  get(): Promise<number> {
    return this.#policy.execute(() => {
      if (++this.#calls < 3) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
      return this.#calls;
    });
  }

  onApplicationShutdown(): void {
    this.health[Symbol.dispose]();
  }
}

@Controller()
class PricesController {
  constructor(readonly prices: Prices) {}

  @Get('price')
  async price(): Promise<{ price: number }> {
    return { price: await this.prices.get() };
  }
}

@Module({ controllers: [PricesController], providers: [Prices] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  const response = await fetch(\`\${await app.getUrl()}/price\`);
  console.log(response.status, await response.text());
  await app.close();
}
void main();
`;

/** As `nest new` writes it, but for what is not needed here. */
const NEST_CONFIG = {
  compilerOptions: {
    module: 'nodenext',
    moduleResolution: 'nodenext',
    esModuleInterop: true,
    isolatedModules: true,
    emitDecoratorMetadata: true,
    experimentalDecorators: true,
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    types: ['node'],
    outDir: 'dist',
    rootDir: '.',
    strict: true,
  },
  files: ['main.ts'],
};

export default [
  jest(29),
  jest(30),
  {
    id: 'modules-ts-jest',
    group: 'Test runners',
    title: 'ts-jest with its defaults',
    async run(env) {
      await env.install(PACKAGES, [
        'jest@30',
        'ts-jest@29',
        'typescript@5.9',
        '@types/jest@30',
        '@types/node@24',
      ]);
      env.write('policy.test.ts', TYPED_TEST);
      env.write('jest.config.js', "module.exports = { preset: 'ts-jest' };");
      const compilerOptions = {
        target: 'es2022',
        module: 'node16',
        strict: true,
        types: ['jest', 'node'],
        isolatedModules: false,
      };
      env.write('tsconfig.json', JSON.stringify({ compilerOptions }));
      const { stderr } = await env.exec('node', ['node_modules/jest/bin/jest.js']);
      assert.match(stderr, /Tests: +1 passed, 1 total/);
      return {
        loaded: ['ts-jest', 'jest', 'typescript'].map((name) => env.versionOf(name)),
        asserted: ['a typed test is compiled to CommonJS, checked and run'],
      };
    },
  },
  {
    id: 'modules-nestjs-11',
    group: 'Module systems',
    title: 'NestJS 11 in CommonJS',
    async run(env) {
      await env.install(
        [
          '@nestjs/common@11',
          '@nestjs/core@11',
          '@nestjs/platform-express@11',
          'reflect-metadata@0.2',
          'rxjs@7',
          '@temper/breaker',
          '@temper/health',
          '@temper/recovery',
          '@temper/retry',
        ],
        ['typescript@5.9', '@types/node@24'],
      );
      env.write('main.ts', SERVICE);
      env.write('tsconfig.json', JSON.stringify(NEST_CONFIG));
      await env.exec('node', ['node_modules/typescript/bin/tsc', '-p', '.']);
      const { stdout } = await env.exec('node', ['dist/main.js']);
      assert.equal(stdout, '200 {"price":3}\n');
      return {
        loaded: [env.versionOf('@nestjs/core'), env.versionOf('typescript')],
        asserted: ['compiled with decorators to CommonJS; a request is answered after two retries'],
      };
    },
  },
];

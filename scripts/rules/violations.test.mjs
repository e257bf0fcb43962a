import { describe, expect, it } from 'vitest';
import { parseFile } from './parse.mjs';
import { CURES, findViolations } from './violations.mjs';
import { FLOORS, readPackages } from './workspace.mjs';

const packages = readPackages();

/** The violations in a tree of files, given by path and text, as `rule file:line what`. */
function judge(tree) {
  const sources = Object.entries(tree).map(([file, text]) => ({ file, ...parseFile(file, text) }));
  return findViolations(sources, packages).map(
    ({ rule, file, line, what }) => `${rule} ${file}:${line} ${what}`,
  );
}

const titleOf = (tree) =>
  Object.entries(tree)
    .map(([file, text]) => `${text.trim()} in ${file}`)
    .join(', ');

const EMPTY = {
  'packages/core/src/index.ts': '',
  'packages/testkit/src/index.ts': '',
  'packages/retry/src/index.ts': '',
  'packages/breaker/src/index.ts': '',
  'packages/ratelimit/src/index.ts': '',
  'packages/recovery/src/index.ts': '',
};

/** For each rule: trees that break it, with what is reported, and trees beside it that do not. */
const CASES = {
  unresolved: {
    broken: [
      [
        { 'packages/core/src/a.ts': "\nimport { b } from './b.ts';" },
        'packages/core/src/a.ts:2 ./b.ts',
      ],
      [
        { 'packages/retry/src/a.ts': "import '@temper/core/src/clock.ts';" },
        'packages/retry/src/a.ts:1 @temper/core/src/clock.ts',
      ],
      [{ 'packages/core/src/a.ts': "export * from './b.ts';" }, 'packages/core/src/a.ts:1 ./b.ts'],
    ],
    fine: [
      { 'packages/core/src/a.ts': "import { b } from './b.ts';", 'packages/core/src/b.ts': '' },
      { 'packages/core/src/a.ts': "import { readFile } from 'node:fs/promises';" },
    ],
  },
  boundary: {
    broken: [
      [
        { 'packages/retry/test/a.ts': "import '../../core/src/index.ts';" },
        'packages/retry/test/a.ts:1 ../../core/src/index.ts',
      ],
    ],
    fine: [{ 'packages/retry/test/a.ts': "import '@temper/core';" }],
  },
  floor: {
    broken: [
      [
        { 'packages/retry/src/a.ts': "import '@temper/breaker';" },
        'packages/retry/src/a.ts:1 @temper/breaker',
      ],
      [
        { 'packages/core/src/a.ts': "import type { A } from '@temper/retry';" },
        'packages/core/src/a.ts:1 @temper/retry',
      ],
      [
        { 'packages/core/src/a.ts': "export type A = import('@temper/retry').A;" },
        'packages/core/src/a.ts:1 @temper/retry',
      ],
      [
        { 'packages/health/src/a.ts': "const a = await import('@temper/ratelimit');" },
        'packages/health/src/a.ts:1 @temper/ratelimit',
      ],
      [
        { 'packages/redis/src/a.ts': "export { a } from '@temper/recovery';" },
        'packages/redis/src/a.ts:1 @temper/recovery',
      ],
    ],
    fine: [
      { 'packages/retry/src/a.ts': "import '@temper/core';" },
      { 'apps/demo/src/a.ts': "import '@temper/recovery';" },
      { 'packages/retry/src/a.test.ts': "import '@temper/breaker';" },
    ],
  },
  'test-code': {
    broken: [
      [
        { 'packages/retry/src/a.ts': "import '@temper/testkit';" },
        'packages/retry/src/a.ts:1 @temper/testkit',
      ],
      [
        { 'packages/retry/src/a.ts': "import '../test/b.ts';", 'packages/retry/test/b.ts': '' },
        'packages/retry/src/a.ts:1 ../test/b.ts',
      ],
    ],
    fine: [{ 'packages/retry/test/a.ts': "import '@temper/testkit';" }],
  },
  circle: {
    broken: [
      [
        {
          'packages/core/src/a.ts': "import { b } from './b.ts';",
          'packages/core/src/b.ts': "import type { A } from './a.ts';",
        },
        'packages/core/src/a.ts:1 ./b.ts',
        'packages/core/src/b.ts:1 ./a.ts',
      ],
      [
        {
          'packages/core/src/a.ts': "export * from './b.ts';",
          'packages/core/src/b.ts': "\nexport type B = import('./c.ts').C;",
          'packages/core/src/c.ts': "export const a = () => import('./a.ts');",
          'packages/core/src/outside.ts': "import './a.ts';",
        },
        'packages/core/src/a.ts:1 ./b.ts',
        'packages/core/src/b.ts:2 ./c.ts',
        'packages/core/src/c.ts:1 ./a.ts',
      ],
      [{ 'packages/core/src/a.ts': "import './a.ts';" }, 'packages/core/src/a.ts:1 ./a.ts'],
    ],
    fine: [
      {
        'packages/core/src/a.ts': "import './b.ts'; import './c.ts';",
        'packages/core/src/b.ts': "import './c.ts';",
        'packages/core/src/c.ts': '',
      },
    ],
  },
  otel: {
    broken: [
      [
        { 'packages/retry/src/retry.ts': "import type { Span } from '@opentelemetry/api';" },
        'packages/retry/src/retry.ts:1 @opentelemetry/api',
      ],
      [
        { 'packages/retry/src/plan-telemetry.ts': "import '@opentelemetry/sdk-trace';" },
        'packages/retry/src/plan-telemetry.ts:1 @opentelemetry/sdk-trace',
      ],
    ],
    fine: [
      { 'packages/retry/src/telemetry.ts': "import '@opentelemetry/api';" },
      { 'packages/core/src/telemetry/hub.ts': "import '@opentelemetry/api';" },
      { 'packages/retry/src/a.test.ts': "import '@opentelemetry/api';" },
      { 'apps/demo/src/a.ts': "import '@opentelemetry/api';" },
    ],
  },
  'recovery-policy': {
    broken: [
      [
        { 'packages/recovery/src/hedge/a.ts': "import type { A } from '@temper/retry';" },
        'packages/recovery/src/hedge/a.ts:1 @temper/retry',
      ],
      [
        { 'packages/recovery/src/index.ts': "import '@temper/breaker';" },
        'packages/recovery/src/index.ts:1 @temper/breaker',
      ],
      [
        {
          'packages/recovery/src/index.ts': "export * from './fetch/b.ts';",
          'packages/recovery/src/fetch/b.ts': '',
        },
        'packages/recovery/src/index.ts:1 ./fetch/b.ts',
      ],
      [
        {
          'packages/recovery/src/fetch/a.ts': "import '../plan/b.ts';",
          'packages/recovery/src/plan/b.ts': '',
        },
        'packages/recovery/src/fetch/a.ts:1 ../plan/b.ts',
      ],
      [
        {
          'packages/recovery/src/hedge/a.ts': "import '../plan/b.ts';",
          'packages/recovery/src/plan/b.ts': '',
        },
        'packages/recovery/src/hedge/a.ts:1 ../plan/b.ts',
      ],
    ],
    fine: [
      { 'packages/recovery/src/plan/a.ts': "import '@temper/retry'; import '@temper/breaker';" },
      { 'packages/recovery/src/fetch/a.ts': "import '@temper/retry'; import '@temper/breaker';" },
      {
        'packages/recovery/src/plan/a.ts': "import './b.ts';",
        'packages/recovery/src/plan/b.ts': '',
      },
      { 'packages/recovery/src/hedge/a.ts': "import '@temper/core';" },
    ],
  },
  'redis-types': {
    broken: [
      [
        { 'packages/redis/src/a.ts': "import { a } from '@temper/breaker';" },
        'packages/redis/src/a.ts:1 @temper/breaker',
      ],
      [
        { 'packages/redis/src/a.ts': "import { type A, b } from '@temper/ratelimit';" },
        'packages/redis/src/a.ts:1 @temper/ratelimit',
      ],
    ],
    fine: [
      { 'packages/redis/src/a.ts': "import type { A } from '@temper/breaker';" },
      { 'packages/redis/src/a.ts': "import { type A, type B } from '@temper/ratelimit';" },
    ],
  },
  'source-time': {
    broken: [
      ...[
        ['setTimeout(f, 1);', 'setTimeout'],
        ['globalThis.setInterval(f, 1);', 'setInterval'],
        ["globalThis['setImmediate'](f);", 'setImmediate'],
        ['const later = setTimeout;', 'setTimeout'],
        ['f({ setTimeout });', 'setTimeout'],
        ['const { setTimeout: later } = globalThis;', 'setTimeout'],
        ['const now = Date.now;', 'Date.now'],
        ['const { now } = Date;', 'Date.now'],
        ['const at = new Date();', 'new Date()'],
        ['const at = Date();', 'Date()'],
        ['const at = performance.now();', 'performance.now'],
        ['const at = (performance as Performance).now();', 'performance.now'],
        ['const at = process.hrtime.bigint();', 'process.hrtime.bigint'],
        ['const signal = AbortSignal.timeout(5);', 'AbortSignal.timeout'],
        ['Atomics.wait(a, 0, 0, 5);', 'Atomics.wait'],
        ["import { setTimeout as sleep } from 'node:timers/promises';", 'node:timers/promises'],
        ["import * as timers from 'timers';", 'timers'],
        ["const timers = await import('node:timers/promises');", 'node:timers/promises'],
        ["import { performance as p } from 'node:perf_hooks';", 'node:perf_hooks'],
        [
          "import { performance } from 'node:perf_hooks';\n\nperformance.now();",
          'performance.now',
          3,
        ],
        ['function f(at = Date.now()) {}', 'Date.now'],
      ].map(([text, what, line = 1]) => [
        { 'packages/retry/src/a.ts': text },
        `packages/retry/src/a.ts:${line} ${what}`,
      ]),
    ],
    fine: [
      { 'packages/retry/src/a.ts': 'socket.setTimeout(5); clock.now(); const a = new Date(5);' },
      { 'packages/retry/src/a.ts': 'type Timer = ReturnType<typeof setTimeout>;' },
      { 'packages/retry/src/a.ts': 'const setTimeout = clock.schedule; setTimeout(f, 5);' },
      { 'packages/retry/src/a.ts': 'const { now } = clock; f({ setTimeout: 5 });' },
      { 'packages/retry/src/a.ts': '// setTimeout(f, 5)\nconst text = "Date.now()";' },
      { 'apps/demo/src/a.ts': 'setTimeout(f, 5);' },
    ],
  },
  'source-chance': {
    broken: [
      [
        { 'packages/retry/src/a.ts': 'const r = Math.random();' },
        'packages/retry/src/a.ts:1 Math.random',
      ],
      [
        { 'packages/retry/src/a.ts': 'const { random } = Math;' },
        'packages/retry/src/a.ts:1 Math.random',
      ],
    ],
    fine: [{ 'packages/retry/src/a.ts': 'const r = Math.floor(random());' }],
  },
  'test-time': {
    broken: [
      [
        { 'packages/retry/src/a.test.ts': 'setTimeout(f, 5);' },
        'packages/retry/src/a.test.ts:1 setTimeout',
      ],
      [
        { 'apps/demo/test/a.test.ts': '\nwhile (Date.now() < end);' },
        'apps/demo/test/a.test.ts:2 Date.now',
      ],
      [
        { 'packages/retry/test/support.ts': "import { setTimeout } from 'node:timers/promises';" },
        'packages/retry/test/support.ts:1 node:timers/promises',
      ],
    ],
    fine: [
      { 'packages/retry/test/servers/a.test.ts': 'setTimeout(f, 5);' },
      { 'packages/retry/src/a.test.ts': 'clock.advance(5); Math.random();' },
    ],
  },
};

it('has a case for every rule', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(CURES).sort());
});

it('knows the floor of every package', () => {
  expect(packages.map(({ name }) => name).sort()).toEqual(FLOORS.flat().sort());
});

it('tells where a file does not parse', () => {
  expect(() => parseFile('a.ts', '\nconst a = ;')).toThrow(/^a\.ts:2 does not parse: /);
});

for (const [rule, { broken, fine }] of Object.entries(CASES)) {
  describe(`the rule ${rule}`, () => {
    for (const [tree, ...expected] of broken)
      it(`reports ${titleOf(tree)}`, () => {
        expect(judge({ ...EMPTY, ...tree })).toEqual(expected.map((text) => `${rule} ${text}`));
      });
    for (const tree of fine)
      it(`accepts ${titleOf(tree)}`, () => {
        expect(judge({ ...EMPTY, ...tree })).toEqual([]);
      });
  });
}

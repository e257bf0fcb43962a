import { readFileSync } from 'node:fs';
import { retryDetails } from '@temper/retry';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { describe, expect, it } from 'vitest';
import { failing, fakeSubsystems, type Hardened, hardened } from '../test/subsystems.ts';
import * as api from './index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of the table whose header begins with these cells, without code marks. */
function table(first: string, second: string, text: string = readme): string[][] {
  const header = [first, second];
  const rows = text.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
  const start = rows.findIndex((cells) => header.every((name, i) => cells[i] === name));
  const end = rows.findIndex((cells, i) => i > start && cells.length === 0);
  return rows.slice(start + 2, end);
}

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

/** The code of the README's blocks, in order, with their imports taken from `temper`. */
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) =>
  stripTypes(`async () => {${code.replace(/^import (\{.*\}) from .*$/m, 'const $1 = temper;')}}`)
    .replace(/^async \(\) => \{/, '')
    .replace(/\}$/, ''),
);

it('has three blocks of code, which the tests below run', () => {
  expect(blocks.map((code) => code.startsWith('const {'))).toEqual([true, true, true]);
});

/** Runs the README's toolchain; what its three tools do can be replaced. */
async function hopper(
  tools: { lint?: () => unknown; publish?: () => unknown } = {},
): Promise<Record<string, unknown>> {
  const linter = { lint: tools.lint ?? (() => ['unused x']), lastReport: () => ['older'] };
  const formatter = { format: (source: string, width: number) => `${source};${width}` };
  const mirror = { publish: tools.publish ?? (() => '1.0.0'), ping: () => 'here' };
  const run = new AsyncFunction(
    ...['temper', 'linter', 'formatter', 'mirror'],
    `${blocks[0]}; const audit = await hopper.auditLog();
     return { problems, degraded, text, published, history, byCategory, breakers, limiters, audit };`,
  );
  return (await run(api, linter, formatter, mirror)) as Record<string, unknown>;
}

const throwing = (error: Error, fields: object) => () => {
  throw Object.assign(error, fields);
};

describe('the toolchain of the example', () => {
  it('runs', async () => {
    expect(await hopper()).toMatchObject({
      problems: ['unused x'],
      degraded: undefined,
      text: 'let x;80',
      published: { ok: true, value: '1.0.0' },
      history: [{ operation: 'publish', strategy: 'retry+circuit_break', outcome: 'success' }],
      byCategory: { unknown: 0 },
      breakers: { lint: { state: 'closed' }, publish: { state: 'closed' } },
      limiters: { lint: { maxTokens: 100, allowed: 1 } },
      audit: [
        { action: 'lint' },
        { action: 'format', actor: { id: 'ada' } },
        { action: 'publish' },
      ],
    });
  });

  it('gives its last report while the linter is down', async () => {
    const down = throwing(new Error('down'), { code: 'ECONNREFUSED' });
    expect(await hopper({ lint: down })).toMatchObject({
      problems: ['older'],
      degraded: { by: 'last-report', error: { message: 'down' } },
      byCategory: { network: 1 },
    });
  });

  it('retries by its own table, and not what the caller did wrong', async () => {
    let asked = 0;
    const lagging = throwing(new Error('not yet'), { kind: 'lagging' });
    expect(await hopper({ publish: () => (++asked < 3 ? lagging() : '1.0.1') })).toMatchObject({
      published: { ok: true, value: '1.0.1' },
      history: [{ outcome: 'recovered', recoveredBy: 'retry', attempts: 3 }],
    });
    const taken = throwing(new Error('taken'), { kind: 'taken' });
    expect(await hopper({ publish: taken })).toMatchObject({
      published: { ok: false, error: { message: 'taken' } },
      history: [{ outcome: 'failure', attempts: 1, error: { message: 'taken' } }],
      byCategory: { validation: 1 },
      breakers: { publish: { calls: { failure: 0, ignored: 1 } } },
    });
  });
});

it('has an example that runs', async () => {
  const [, body] = blocks;
  const { ast, protocols, registry, lsp } = fakeSubsystems().subsystems;
  const run = new AsyncFunction(
    ...['temper', 'compiler', 'checker', 'client', 'server'],
    `${body}; return { value, events, settings: parserCraft.settings };`,
  );
  expect(await run(api, ast, protocols, registry, lsp)).toMatchObject({
    value: { version: '1.0.0' },
    events: [{ action: 'fetch_package', status: 'success', actor: { id: 'ada' } }],
    settings: { breakers: { registry_fetch: { failureThreshold: 3, openDurationMs: 120_000 } } },
  });
});

it('has an example of the attempts behind an error', async () => {
  const { made, clock, script } = hardened();
  script.fetch = failing('connection');
  const run = new AsyncFunction(
    'temper',
    'parserCraft',
    `${blocks[2]}; return { error, attempts };`,
  );
  expect(await clock.runUntil(run({ retryDetails }, made))).toMatchObject({
    error: { message: 'a connection error' },
    attempts: 3,
  });
});

it('lists every option of a call', async () => {
  const error = await hardened()
    .made.ast.generateCode('p', 'p', { misspelt: 1 } as never)
    .catch((error: Error) => error);
  const known = /known are (.*)\.$/.exec((error as Error).message)?.[1]?.split(', ');
  expect(table('option of a call', 'meaning').map(([name]) => name)).toEqual(known);
});

it('lists the errors by name and code', async () => {
  const errors: { name: string; code: string }[] = [];
  const fail = async (it: Hardened, call: () => Promise<unknown>): Promise<void> => {
    const running = call().then(
      () => expect.fail('It resolved.'),
      (error) => error,
    );
    errors.push((await it.clock.runUntil(running)) as { name: string; code: string });
  };
  const limited = hardened({ settings: { limiters: { lsp_requests: { limit: 1, burst: 1 } } } });
  await limited.made.lsp.request('hover', {});
  await fail(limited, () => limited.made.lsp.request('hover', {}));
  const open = hardened();
  open.made.policies.breakers.ast_codegen.isolate();
  await fail(open, () => open.made.ast.generateCode('p'));
  const slow = hardened({ settings: { plans: { lsp_operation: { attemptTimeoutMs: 1 } } } });
  slow.script.request = () => new Promise(() => {});
  await fail(slow, () => slow.made.lsp.request('hover', {}));
  await fail(slow, () => slow.made.lsp.request('hover', {}, { timeoutMs: 0 }));
  const rows = table('error', 'code').map((row) => row.slice(0, 2));
  expect(errors.map(({ name, code }) => [name, code])).toEqual(rows.slice(0, 4));
  expect(rows.slice(4)).toEqual([
    ['AuditUnavailableError', 'AUDIT_UNAVAILABLE'], // held by the tests of the audit log
    ['signal.reason', ''],
  ]);
});

/** The names that a factory knows, from the error that refuses another one. */
function known(make: () => unknown): string[] | undefined {
  try {
    make();
  } catch (error) {
    return /known are (.*)\.$/.exec((error as Error).message)?.[1]?.split(', ');
  }
  return undefined;
}

it('lists every option', () => {
  const misspelt = { misspelt: 1 } as never;
  const tables = [
    ['option', 'default', () => api.harden(misspelt)],
    [
      'option of an operation',
      'default',
      () => api.harden({ name: 'a', operations: { a: { run: () => 1, ...(misspelt as object) } } }),
    ],
  ] as const;
  for (const [header, second, make] of tables) {
    expect(table(header, second).map(([name]) => name)).toEqual(known(make));
  }
  const preset = readme.slice(readme.indexOf('Of `parserCraftHardening`:'));
  expect(table('option', 'default', preset).map(([name]) => name)).toEqual(
    known(() => api.parserCraftHardening(fakeSubsystems().subsystems, misspelt)),
  );
});

it('shows the message of an option that is out of range', () => {
  const make = () =>
    api.harden({
      name: 'hopper',
      operations: { lint: { run: () => 1, breaker: { failureThreshold: 0 } } },
    });
  const message = /with the path: `(.*)`/.exec(readme)?.[1];
  expect(make).toThrow(new RangeError(message));
});

it('lists every setting with its value', () => {
  const expected: [string, number][] = [];
  const walk = (value: object, path: string): void => {
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === 'number') expected.push([path + key, inner]);
      else walk(inner as object, `${path}${key}.`);
    }
  };
  walk(api.HARDENING_DEFAULTS, '');
  const shown = table('setting', 'value').map(([name, value]) => [
    name,
    Number(value?.replaceAll('_', '')),
  ]);
  expect(shown).toEqual(expected);
});

it('lists the pipelines and the error tables', () => {
  expect(table('operation', 'limiter').map((row) => row.slice(0, 5))).toEqual(
    api.OPERATIONS.map((operation) => {
      const { limiter = 'none', bulkhead, breaker = 'none' } = api.PIPELINE_PARTS[operation];
      const { maxAttempts } = api.HARDENING_DEFAULTS.plans[operation];
      return [operation, limiter, bulkhead, String(maxAttempts), breaker];
    }),
  );
  expect(table('operation', 'kind')).toEqual(
    api.OPERATIONS.flatMap((operation) =>
      api.ERROR_TABLES[operation].map(({ kind, category, severity }) => [
        operation,
        kind,
        category,
        severity,
      ]),
    ),
  );
});

it('has YAML that fits', () => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  expect(api.resolveSettings(api.parseSettings(yaml))).toMatchObject({
    breakers: { registry_fetch: { failureThreshold: 3, openDurationMs: 30_000 } },
    plans: { fetch_package: { maxAttempts: 5 } },
    methods: { 'textDocument/completion': { maxAttempts: 1, timeoutMs: 800 } },
  });
});

it('lists the health checks', async () => {
  const { subsystems, script } = fakeSubsystems();
  const fail = (): never => {
    throw new Error('down');
  };
  Object.assign(script, { generate: fail, check: fail, registryProbe: fail, lspProbe: fail });
  await using made = api.parserCraftHardening(subsystems);
  const { checks } = await made.health();
  expect(table('check', 'fails to').map((row) => row.slice(0, 2))).toEqual(
    Object.values(checks).map(({ name, status }) => [name, status]),
  );
});

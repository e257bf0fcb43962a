import { readdirSync, readFileSync } from 'node:fs';
import { isTemperError, type Outcome } from '@temper/core';
import * as temper from '@temper/retry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const readme = readFileSync(new URL('README.md', ROOT), 'utf8');
const manifests = readdirSync(new URL('packages/', ROOT)).map(
  (name) =>
    JSON.parse(readFileSync(new URL(`packages/${name}/package.json`, ROOT), 'utf8')) as {
      readonly name: string;
      readonly type: string;
      readonly engines: { readonly node: string };
      readonly dependencies?: Readonly<Record<string, string>>;
      readonly peerDependencies?: Readonly<Record<string, string>>;
    },
);

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<{ response: Response; registry: temper.RetryPolicy }>;
const refused = (): TypeError =>
  new TypeError('fetch failed', {
    cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
  });

describe('the example of the root README', () => {
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  const [example = ''] = blocks;
  const body = example.replace(/^import (\{.*\}) from '@temper\/retry';$/m, 'const $1 = temper;');
  const logged: unknown[] = [];
  const output = { log: (line: unknown) => void logged.push(line) };
  const asked: string[] = [];
  let run: () => Promise<{ response: Response; registry: temper.RetryPolicy }>;

  /** Answers requests with these, in order; the last one from then on. */
  function answer(...answers: readonly (Response | Error)[]): void {
    vi.stubGlobal('fetch', async (url: string, { signal }: { readonly signal: AbortSignal }) => {
      signal.throwIfAborted();
      asked.push(url);
      const next = answers[Math.min(asked.length, answers.length) - 1];
      if (next instanceof Error) throw next;
      return next;
    });
  }

  beforeEach(() => {
    vi.useFakeTimers();
    asked.length = 0;
    logged.length = 0;
    const code = new AsyncFunction('temper', 'console', `${body}; return { response, registry };`);
    run = () => code(temper, output);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('is the only block of code', () => {
    expect(blocks).toHaveLength(1);
    expect(body).not.toBe(example);
  });

  it('retries a refused connection', async () => {
    answer(refused(), new Response('{}'));
    const [{ response }] = await Promise.all([run(), vi.runAllTimersAsync()]);
    expect(response.status).toBe(200);
    expect(asked).toHaveLength(2);
    expect(logged).toMatchObject([{ operations: { recovered: 1 }, attempts: 2, retries: 1 }]);
  });

  it.each([429, 503])(
    'retries an error with status %i, and returns such a response',
    async (status) => {
      answer(Object.assign(new Error('busy'), { status }), new Response('', { status }));
      const [{ response }] = await Promise.all([run(), vi.runAllTimersAsync()]);
      expect(response.status).toBe(status);
      expect(asked).toHaveLength(2);
    },
  );

  it('throws the last error unchanged, with its attempts beside it', async () => {
    const errors = [refused(), refused(), refused()];
    answer(...errors);
    const rejection = run().then(
      () => expect.fail('It resolved.'),
      (error: unknown) => error,
    );
    const [error] = await Promise.all([rejection, vi.runAllTimersAsync()]);
    expect(error).toBe(errors[2]);
    expect(temper.retryDetails(error)).toMatchObject({ attempts: 3, errors });
  });

  it('refuses unknown options, of the policy and of a call, before the operation runs', async () => {
    answer(new Response('{}'));
    const { registry } = await run();
    expect(() => temper.retry({ misspelt: 1 } as never)).toThrow(/misspelt/);
    const outcome: Outcome<string> = await registry.tryExecute(() => expect.fail('It ran.'), {
      misspelt: 1,
    } as never);
    expect(outcome).toMatchObject({ ok: false, error: expect.any(TypeError) });
    expect(isTemperError((outcome as { error: unknown }).error)).toBe(false);
  });
});

describe('the packages of the root README', () => {
  const COMBINING = ['@temper/recovery', '@temper/redis', '@temper/parsercraft-handlers'];

  it('are all that there are', () => {
    const listed = [...readme.matchAll(/^\| \[`(@temper\/[\w-]+)`\]\(packages\//gm)];
    expect(listed.map(([, name]) => name).toSorted()).toEqual(
      manifests.map(({ name }) => name).toSorted(),
    );
  });

  it('depend on nothing but core, apart from those that combine others', () => {
    for (const { name, dependencies = {} } of manifests) {
      if (COMBINING.includes(name)) continue;
      expect([name, Object.keys(dependencies).filter((each) => each !== '@temper/core')]).toEqual([
        name,
        [],
      ]);
    }
  });

  it('are ES modules for Node 20.19 or newer, or 22.15 where the log of audit is needed', () => {
    const newer = ['@temper/audit', '@temper/parsercraft-handlers'];
    expect(readme).toContain('require Node 20.19 or newer; `@temper/audit` and');
    for (const { name, type, engines } of manifests) {
      const least = newer.includes(name) ? '>=22.15' : '>=20.19';
      expect([name, type, engines.node]).toEqual([name, 'module', least]);
    }
  });
});

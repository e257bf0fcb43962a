import { readFileSync } from 'node:fs';
import * as breaker from '@temper/breaker';
import { OperationTimeoutError, type TemperError } from '@temper/core';
import * as retry from '@temper/retry';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import * as undici from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CACHED_DEFAULTS } from '../src/cached/options.ts';
import { CHAOS_DEFAULTS } from '../src/chaos/options.ts';
import { FALLBACK_DEFAULTS } from '../src/fallback/options.ts';
import * as http from '../src/fetch/index.ts';
import { HTTP_DEFAULTS } from '../src/fetch/options.ts';
import { HEDGE_DEFAULTS } from '../src/hedge/options.ts';
import * as temper from '../src/index.ts';
import { ObservedDuration } from '../src/latency/observed-duration.ts';
import * as plan from '../src/plan/index.ts';
import { PLAN_DEFAULTS } from '../src/plan/plan.ts';
import { RECOVERY_METRICS, RECOVERY_SPANS } from '../src/semconv.ts';
import { TIMEOUT_DEFAULTS } from '../src/timeout/options.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const PLAN = '### `recover(plan)` and `recoveries(options)` of `@temper/recovery/plan`';
const FETCH = '### `@temper/recovery/fetch`';

/** The text below a heading, up to the next one. */
function section(heading: string): string {
  const [, below] = readme.split(`\n${heading}\n`);
  if (below === undefined) throw new Error(`The README has no '${heading}'.`);
  return below.split(/\n#{2,3} /)[0] as string;
}

/** The rows of the nth table in a text, without its header. */
function table(text: string, nth = 0): string[][] {
  const tables = text
    .trim()
    .split('\n\n')
    .filter((part) => part.startsWith('|'));
  return (tables[nth] ?? '')
    .split('\n')
    .slice(2)
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Names and defaults of the nth table, without the ticks. */
function options(text: string, nth = 0): Map<string, string> {
  return new Map(
    table(text, nth).map(([name = '', value = '']) => [
      name.replaceAll('`', ''),
      value.replaceAll('`', ''),
    ]),
  );
}

/** The known options, from the message about an unknown one. */
function known(create: (options: never) => unknown, more: object = {}): string[] {
  try {
    create({ ...more, misspelt: 1 } as never);
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ').sort();
  }
  throw new Error('It accepts anything.');
}

function shown(value: unknown): string {
  if (typeof value === 'number')
    return value >= 10_000 ? value.toLocaleString('en').replaceAll(',', '_') : String(value);
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value !== 'object') return String(value);
  const fields = Object.entries(value as object).map(([key, part]) => {
    const plain = typeof part === 'number' ? String(part) : shown(part);
    return `${key}: ${plain}`;
  });
  return `{ ${fields.join(', ')} }`;
}

const MODULES: Readonly<Record<string, object>> = {
  '@temper/breaker': breaker,
  '@temper/recovery': temper,
  '@temper/recovery/fetch': http,
  '@temper/recovery/plan': plan,
  '@temper/retry': retry,
  undici,
};
const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (modules: object) => Promise<unknown>;

/** Runs the block below a heading, and returns what it has in these variables. */
async function run<const Names extends readonly string[]>(
  heading: string,
  ...names: Names
): Promise<{ readonly [K in Names[number]]: never }> {
  const block = /```ts\n([\s\S]*?)```/.exec(section(heading))?.[1] ?? '';
  const body = stripTypes(block).replace(
    /import \{([^}]*)\} from '([^']*)';/g,
    "const {$1} = modules['$2'];",
  );
  expect(body).not.toContain('import ');
  return (await new AsyncFunction('modules', `${body}; return { ${names.join()} };`)(
    MODULES,
  )) as never;
}

/** Stubs the global `fetch` with these responses, one after the other. */
function responses(...given: readonly (() => Response)[]) {
  const stub = vi.fn(async (_url: unknown, init?: { signal?: AbortSignal }) => {
    init?.signal?.throwIfAborted();
    const next = given[stub.mock.calls.length - 1];
    if (next === undefined) throw new Error('called too often');
    return next();
  });
  vi.stubGlobal('fetch', stub);
  return stub;
}
const status = (code: number) => () =>
  new Response('', { status: code, headers: { 'retry-after': '0' } });

describe('the README', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has six blocks of code, each run by a test below', () => {
    expect(readme.match(/```ts\n/g)).toHaveLength(6);
  });

  it('has an example that retries, falls back, and passes the caller’s mistakes', async () => {
    const recovered = responses(status(503), () => Response.json(['1.0.0']));
    expect(await run('## Example', 'versions')).toEqual({ versions: ['1.0.0'] });
    expect(recovered).toHaveBeenCalledTimes(2);
    const exhausted = responses(status(503), status(503));
    expect(await run('## Example', 'versions')).toEqual({ versions: [] });
    expect(exhausted).toHaveBeenCalledTimes(2);
    responses(status(404));
    await expect(run('## Example', 'versions')).rejects.toThrow('HTTP 404');
  });

  it('has an example of a hedge that asks another replica when the first is slow, or fails', async () => {
    const hangs = (init?: { signal?: AbortSignal }): Promise<never> =>
      new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    for (const first of [hangs, () => Promise.reject(reset)]) {
      const asked: unknown[] = [];
      vi.stubGlobal('fetch', async (url: unknown, init?: { signal?: AbortSignal }) => {
        asked.push(url);
        return asked.length === 1 ? first(init) : new Response('page');
      });
      const { page } = await run('### `hedge(options)`', 'page');
      expect(await (page as Response).text()).toBe('page');
      expect(asked).toEqual(['https://a.example/page', 'https://b.example/page']);
    }
  });

  it('has an example of caches with keys from arguments', async () => {
    const found = await run('### `cached(options)`', 'users', 'findUser', 'findOrders');
    const findUser = found.findUser as (id: string) => Promise<{ id: string }>;
    const findOrders = found.findOrders as (id: string) => Promise<unknown>;
    expect((await findUser('1')).id).toBe('1');
    expect((await findUser('2')).id).toBe('2');
    await findUser('1');
    expect((found.users as temper.CachedPolicy).stats().calls).toMatchObject({
      success: 2,
      hit: 1,
    });
    expect(await findOrders('1')).toEqual([{ userId: '1', total: 12 }]); // not the user of this id
  });

  it('has an example of named pipelines, in which a reload applies', async () => {
    const { registry, policy, revision } = await run(
      '### `pipelines(options)`',
      ...(['registry', 'policy', 'revision'] as const),
    );
    expect(revision).toBe(2);
    let calls = 0;
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const answer = await (policy as temper.PipelinePolicy).execute(async () => {
      if (++calls === 1) throw reset;
      return 'second attempt';
    });
    expect(answer).toBe('second attempt');
    const reload = () => (registry as temper.Pipelines).reload('fetch', [{ timeout: { ms: 1 } }]);
    expect(reload).toThrow(temper.PipelineReloadError);
  });

  it('has an example of a plan that retries, and falls back', async () => {
    responses(status(503), () => new Response('2.0.0'));
    expect(await run(PLAN, 'result')).toEqual({
      result: { ok: true, value: '2.0.0', recoveredBy: 'retry' },
    });
    responses(status(503), status(503));
    expect(await run(PLAN, 'result')).toEqual({
      result: { ok: true, value: '1.0.0', recoveredBy: 'fallback' },
    });
  });

  it('has an example of fetch that retries, and returns a failed response', async () => {
    responses(status(503), () => new Response('package'));
    const { response, agent } = await run(FETCH, 'response', 'agent');
    expect(await (response as Response).text()).toBe('package');
    await (agent as undici.Agent).close();
    responses(status(404));
    const failed = await run(FETCH, 'response', 'agent');
    expect((failed.response as Response).status).toBe(404);
    await (failed.agent as undici.Agent).close();
  });

  it.each<[string, (options: never) => unknown, object, object]>([
    ['### `pipeline(options, ...policies)`', temper.pipeline, { name: 'pipeline' }, {}],
    ['### `timeout(options)`', temper.timeout, TIMEOUT_DEFAULTS, {}],
    ['### `hedge(options)`', temper.hedge, HEDGE_DEFAULTS, {}],
    ['### `fallback(options)`', temper.fallback, FALLBACK_DEFAULTS, { handler: () => 1 }],
    ['### `cached(options)`', temper.cached, CACHED_DEFAULTS, {}],
    ['### `chaos(options)`', temper.chaos, CHAOS_DEFAULTS, {}],
    ['### `pipelines(options)`', temper.pipelines, {}, {}],
    [FETCH, http.dispatcherInterceptor, HTTP_DEFAULTS, {}],
  ])('lists every option below %s with its default', (heading, create, defaults, needed) => {
    const listed = options(section(heading));
    expect([...listed.keys()].sort()).toEqual(known(create, needed));
    const special: Record<string, string> = {
      clock: 'the system clock',
      random: 'Math.random',
      handler: 'required',
    };
    for (const [name, value] of listed) {
      const own = (defaults as Record<string, unknown>)[name];
      const fallback = own === undefined ? 'none' : shown(own);
      expect([name, value]).toEqual([name, special[name] ?? fallback]);
    }
  });

  it('lists the options of a duration that follows the latencies', () => {
    const listed = options(section('### `timeout(options)`'), 1);
    const create = (given: never): unknown => new ObservedDuration('o', given, null as never);
    expect([...listed.keys()].sort()).toEqual(known(create));
    const policy = temper.timeout({ timeoutMs: { quantile: 1, maxMs: 77 } });
    expect([listed.get('initialMs'), policy.timeoutMs]).toEqual(['maxMs', 77]);
    expect([listed.get('quantile'), listed.get('maxMs')]).toEqual(['required', 'required']);
    expect([listed.get('factor'), listed.get('minMs')]).toEqual(['1', '1']);
    expect([listed.get('minSamples'), listed.get('windowMs')]).toEqual([
      '1 / (1 - quantile), 20 to 1000',
      '60_000',
    ]);
  });

  it('lists the fields of a plan, and the options of a collection', () => {
    const text = section(PLAN);
    const fields = options(text, 0);
    expect([...fields.keys()].sort()).toEqual(known(plan.recover));
    for (const [name, value] of Object.entries(PLAN_DEFAULTS)) {
      expect([name, fields.get(name)]).toEqual([name, shown(value)]);
    }
    const collection = options(text, 1);
    expect([...collection.keys()].sort()).toEqual(known(plan.recoveries));
    expect(collection.get('historySize')).toBe('1000');
    expect(collection.get('name')).toBe("'recoveries'");
  });

  it('lists every metric and span as the code defines it', () => {
    const text = section('## Telemetry');
    const code = (name: string): string => `\`${name}\``;
    expect(table(text, 0)).toEqual(
      RECOVERY_METRICS.map(({ name, instrument, unit, attributes }) => [
        code(name),
        instrument,
        code(unit),
        attributes.map((attribute) => code(attribute.name)).join(', '),
      ]),
    );
    expect(table(text, 1)).toEqual(RECOVERY_SPANS.map(({ name, status }) => [code(name), status]));
  });

  it('lists every error that the package exports, with its code', () => {
    const listed = new Map(table(section('## Errors')).map(([name, code]) => [name, code]));
    const created: TemperError[] = [
      new OperationTimeoutError('p', 1),
      new temper.HedgeFailedError('p', [1]),
      new temper.HedgeLostError('p'),
      new temper.FallbackFailedError('p', 1, 2),
      new temper.CallsItselfError('p'),
      new temper.ChaosFaultError('p'),
      new temper.PipelineOrderError('p', []),
      new temper.PipelineReloadError('p', 1, 2),
      new plan.FailedResultError('p', 1),
      new plan.DegradedResultError('p', 1, 2),
      new plan.PlanDocumentError([]),
      new plan.UnregisteredOperationError('p', [], []),
      new http.ConnectionLostError('p'),
      new http.TooManyInFlightError('p', 1),
      new http.TruncatedBodyError('p', 1, 2),
    ];
    for (const { name, code } of created) {
      expect([name, listed.get(`\`${name}\``)]).toEqual([name, `\`${code}\``]);
    }
    const all = { ...temper, ...plan, ...http };
    const exported = Object.keys(all).filter((name) => name.endsWith('Error'));
    const names = created.map(({ name }) => name);
    expect(exported.sort()).toEqual(names.filter((name) => name in all).sort());
  });

  it('ends the message of an error in its innermost cause', () => {
    const cause = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    for (const error of [
      new temper.HedgeFailedError('p', [cause, cause]),
      new temper.FallbackFailedError('p', cause, new Error('second')),
      new temper.PipelineReloadError('p', 1, cause),
      new plan.DegradedResultError('p', 1, cause),
    ]) {
      expect(error.message).toMatch(/connect ECONNREFUSED$/);
    }
  });
});

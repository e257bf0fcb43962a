import { readFileSync } from 'node:fs';
import { circuitBreaker } from '@temper/breaker';
import { OperationTimeoutError, type TemperError } from '@temper/core';
import { retry } from '@temper/retry';
import { Agent, type Dispatcher } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as http from '../src/fetch/index.ts';
import * as temper from '../src/index.ts';
import { ObservedDuration } from '../src/latency/observed-duration.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

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

/** Names and defaults, without the ticks. */
function options(text: string, nth = 0): Map<string, string> {
  return new Map(
    table(text, nth).map(([name = '', value = '']) => [
      name.replaceAll('`', ''),
      value.replaceAll('`', ''),
    ]),
  );
}

/** What a maker knows, as it tells who misspells an option. */
function known(make: (options: never) => unknown, more: object = {}): string[] {
  try {
    make({ ...more, misspelt: 1 } as never);
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ');
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

const handler = (): number => 1;

describe('the README', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has an example that runs', async () => {
    const example = /```ts\n([\s\S]*?)```/.exec(section('## Example'))?.[1] ?? '';
    const body = example.replace(/^import .*\n/gm, '');
    expect(body.split('\n').length).toBeLessThan(example.split('\n').length);
    const answers = [
      new Response('', { status: 503, headers: { 'retry-after': '0' } }),
      Response.json(['1.0.0']),
      new Response('', { status: 404 }),
    ];
    let asked = 0;
    vi.stubGlobal('fetch', async (_: string, { signal }: { signal: AbortSignal }) => {
      signal.throwIfAborted();
      return answers[asked++];
    });
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (...values: unknown[]) => Promise<unknown>;
    const names = ['circuitBreaker', 'retry', 'fallback', 'pipeline', 'timeout'];
    const run = new AsyncFunction(...names, `${body}; return versions;`);
    const all = [circuitBreaker, retry, temper.fallback, temper.pipeline, temper.timeout];
    expect(await run(...all)).toEqual(['1.0.0']);
    expect(asked).toBe(2);
    expect(await run(...all)).toEqual([]); // by the fallback, as a 404 is not tried again
  });

  it('has other examples that run too', async () => {
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (...values: unknown[]) => Promise<unknown>;
    const code = (heading: string): string =>
      (/```ts\n([\s\S]*?)```/.exec(section(heading))?.[1] ?? '').replace(/^import .*\n/gm, '');
    const planned = new AsyncFunction(
      ...['recover', 'cache', 'registry', 'name'],
      `${code('### `recover(plan)` and `recoveries(options)`')}; return result;`,
    );
    const registry = { get: async () => Promise.reject(new TypeError('gone')) };
    const cache = new Map([['std.core', 'remembered']]);
    expect(await planned(temper.recover, cache, registry, 'std.core')).toEqual({
      ok: true,
      value: 'remembered',
      recoveredBy: 'fallback',
    });
    const fetching = new AsyncFunction(
      ...['resilientFetch', 'dispatcherInterceptor', 'Agent'],
      `${code('### `@temper/recovery/fetch`')}; return [fetch, agent];`,
    );
    const [fetch, agent] = (await fetching(
      http.resilientFetch,
      http.dispatcherInterceptor,
      Agent,
    )) as [http.ResilientFetch, Dispatcher];
    expect(fetch.stats().breakers).toEqual({});
    await agent.close();
  });

  it.each<[string, (options: never) => unknown, object, object]>([
    ['### `pipeline(options, ...policies)`', temper.pipeline, { name: 'pipeline' }, {}],
    ['### `timeout(options)`', temper.timeout, temper.TIMEOUT_DEFAULTS, {}],
    ['### `hedge(options)`', temper.hedge, temper.HEDGE_DEFAULTS, {}],
    ['### `fallback(options)`', temper.fallback, temper.FALLBACK_DEFAULTS, { handler }],
    ['### `cached(options)`', temper.cached, temper.CACHED_DEFAULTS, {}],
    ['### `chaos(options)`', temper.chaos, temper.CHAOS_DEFAULTS, {}],
    ['### `pipelines(options)`', temper.pipelines, {}, {}],
    ['### `@temper/recovery/fetch`', http.dispatcherInterceptor, http.HTTP_DEFAULTS, {}],
  ])('lists every option below %s with its default', (heading, make, defaults, needed) => {
    const listed = options(section(heading));
    expect([...listed.keys()].sort()).toEqual(known(make, needed).sort());
    for (const [name, value] of Object.entries(defaults)) {
      expect([name, listed.get(name)]).toEqual([name, shown(value)]);
    }
    const others = [...listed].filter(([name]) => !(name in defaults));
    const said: Record<string, string> = {
      clock: "the machine's",
      random: 'Math.random',
      handler: 'required',
      isFailureStatus: '408, 429, 5xx',
    };
    for (const [name, value] of others) expect([name, value]).toEqual([name, said[name] ?? 'none']);
  });

  it('lists the options of a duration that follows what is observed', () => {
    const listed = options(section('### `timeout(options)`'), 1);
    const make = (given: never): unknown => new ObservedDuration('o', given, null as never);
    expect([...listed.keys()].sort()).toEqual(known(make).sort());
    const policy = temper.timeout({ timeoutMs: { quantile: 1, maxMs: 77 } });
    expect([listed.get('initialMs'), policy.timeoutMs]).toEqual(['maxMs', 77]);
    expect([listed.get('quantile'), listed.get('maxMs')]).toEqual(['required', 'required']);
    expect([listed.get('factor'), listed.get('minMs')]).toEqual(['1', '1']);
    expect([listed.get('minSamples'), listed.get('windowMs')]).toEqual(['20', '60_000']);
  });

  it('lists the fields of a plan, and the options of a collection', () => {
    const text = section('### `recover(plan)` and `recoveries(options)`');
    const plan = options(text, 0);
    expect([...plan.keys()].sort()).toEqual(known(temper.recover).sort());
    for (const [name, value] of Object.entries(temper.PLAN_DEFAULTS)) {
      expect([name, plan.get(name)]).toEqual([name, shown(value)]);
    }
    const collection = options(text, 1);
    expect([...collection.keys()].sort()).toEqual(known(temper.recoveries).sort());
    expect(collection.get('historySize')).toBe('1000');
    expect(collection.get('name')).toBe("'recoveries'");
  });

  it('lists every metric and span as the code defines it', () => {
    const text = section('## Telemetry');
    const code = (name: string): string => `\`${name}\``;
    expect(table(text, 0)).toEqual(
      temper.RECOVERY_METRICS.map(({ name, instrument, unit, attributes }) => [
        code(name),
        instrument,
        code(unit),
        attributes.map((attribute) => code(attribute.name)).join(', '),
      ]),
    );
    expect(table(text, 1)).toEqual(
      temper.RECOVERY_SPANS.map(({ name, status }) => [code(name), status]),
    );
  });

  it('names every error that the package exports, with its code', () => {
    const listed = new Map(table(section('## Errors')).map(([name, code]) => [name, code]));
    const made: TemperError[] = [
      new OperationTimeoutError('p', 1),
      new temper.HedgeFailedError('p', [1]),
      new temper.HedgeLostError('p'),
      new temper.FallbackFailedError('p', 1, 2),
      new temper.ChaosFaultError('p'),
      new temper.PipelineOrderError('p', []),
      new temper.PipelineReloadError('p', 1, 2),
      new temper.FailedResultError('p', 1),
      new temper.DegradedResultError('p', 1, 2),
      new temper.PlanDocumentError([]),
      new temper.UnregisteredOperationError('p', [], []),
      new http.TooManyInFlightError('p', 1),
    ];
    for (const { name, code } of made) {
      expect([name, listed.get(`\`${name}\``)]).toEqual([name, `\`${code}\``]);
    }
    const exported = Object.keys({ ...temper, ...http }).filter((name) => name.endsWith('Error'));
    const names = made.map(({ name }) => name);
    expect(exported.sort()).toEqual(names.filter((name) => name in { ...temper, ...http }).sort());
  });
});

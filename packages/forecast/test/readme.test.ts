import { readFileSync } from 'node:fs';
import * as healthApi from '@temper/health';
import * as ratelimitApi from '@temper/ratelimit';
import * as retryApi from '@temper/retry';
import { ManualClock } from '@temper/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as api from '../src/index.ts';
import * as limitApi from '../src/limit/index.ts';
import { LIMIT_DEFAULTS } from '../src/limit/options.ts';
import { PREDICTOR_DEFAULTS } from '../src/predict/options.ts';
import * as scalingApi from '../src/scaling/index.ts';
import { SCALING_DEFAULTS } from '../src/scaling/options.ts';
import { FORECAST_METRICS } from '../src/semconv.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string);

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

/** Runs a block with its imports taken from the packages, and returns the names it declares. */
function run(index: number, returned: string, given: Readonly<Record<string, unknown>> = {}) {
  const body = (blocks[index] as string).replaceAll(
    /import \{ (.*) \} from '@temper\/(\w+)(?:\/(\w+))?';/g,
    (_, names: string, from: string, part = '') => `const { ${names} } = $${from}${part};`,
  );
  const modules = {
    $forecast: api,
    $forecastlimit: limitApi,
    $forecastscaling: scalingApi,
    $ratelimit: ratelimitApi,
    $retry: retryApi,
    $health: healthApi,
    ...given,
  };
  const names = Object.keys(modules);
  return new AsyncFunction(...names, `${body}; return ${returned};`)(...Object.values(modules));
}

/** First and second cells of the rows of the table with this first header cell. */
function rows(header: string): [string, string][] {
  const [, table = ''] = readme.split(new RegExp(`\\n\\| ${header} +\\|.*\\n\\|[ -|]*\\n`));
  return table
    .split('\n')
    .slice(
      0,
      table.split('\n').findIndex((line) => !line.startsWith('|')),
    )
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
    .map(([, first = '', second = '']) => [first, second]);
}

describe('the README', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has an example that runs, against a dependency that answers and one that fails', async () => {
    vi.stubGlobal('fetch', async () => new Response('ok'));
    expect(await run(0, '[response.status, status, drivers]')).toEqual([200, 'learning', []]);
    const down = new TypeError('fetch failed');
    vi.stubGlobal('fetch', () => Promise.reject(down));
    await expect(run(0, 'response')).rejects.toBe(down);
  });

  it('shows how retries are read', async () => {
    const load = vi
      .fn()
      .mockRejectedValueOnce(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
      .mockResolvedValue('loaded');
    const [retries, outlook] = (await run(1, '[retries, outlook]', { load })) as [
      retryApi.RetryPolicy,
      api.FailurePredictor,
    ];
    expect(retries.stats().retries).toBe(1);
    expect(outlook.stats().calls).toBe(1);
  });

  it('shows the predictor as a health check', async () => {
    const health = (await run(2, 'health')) as healthApi.HealthMonitor;
    expect((await health.getHealthSummary()).checks['registry']).toMatchObject({
      status: 'healthy',
    });
  });

  it('shows how a scaling signal reads a limit, idle and rejecting', async () => {
    const [scaling, calls] = (await run(6, '[scaling, calls]')) as [
      scalingApi.ScalingSignal,
      ratelimitApi.ConcurrencyLimiter,
    ];
    expect(scaling.recommendation()).toMatchObject({ mode: 'learning', desired: undefined });
    const sources = scalingApi.limiterSources(calls);
    const read = (): (number | undefined)[] =>
      [sources.arrivals, sources.inFlight, sources.queued, sources.rejected].map((ask) => ask?.());
    expect(read()).toEqual([0, 0, 0, 0]);
    const release = Promise.withResolvers<void>();
    const running = Array.from({ length: 150 }, () =>
      calls.tryExecute(() => release.promise).then(({ ok }) => ok),
    );
    // 20 run, 100 wait, 30 are rejected.
    await vi.waitFor(() => expect(read()).toEqual([150, 20, 100, 30]));
    expect(sources.concurrency?.()).toBe(20);
    release.resolve();
    expect((await Promise.all(running)).filter((ok) => ok)).toHaveLength(120);
    expect(read()).toEqual([150, 0, 0, 30]);
  });

  it('names every option of the scaling signal with its default', () => {
    const { clock: _, ...plain } = SCALING_DEFAULTS;
    const { sources, concurrency, state, telemetry, clock, ...said } = Object.fromEntries(
      rows('scaling option'),
    );
    expect(said).toEqual(
      Object.fromEntries(
        Object.entries(plain).map(([name, value]) => [
          name,
          typeof value === 'string' ? `'${value}'` : String(value),
        ]),
      ),
    );
    expect([sources, concurrency, state, telemetry, clock]).toEqual([
      'must be given',
      'the source concurrency',
      'none',
      'none',
      'the system clock',
    ]);
  });

  it('shows a limit that follows the demand, before calls that it grants and calls that it refuses', async () => {
    const find = vi.fn(async () => 'found');
    const [search, limit, mode, found] = (await run(7, '[search, limit, mode, found]', {
      find,
    })) as [limitApi.PredictiveLimit, number, string, string];
    expect([limit, mode, found]).toEqual([6000, 'learning', 'found']);
    const taken = Array.from({ length: 300 }, () => search.tryAcquire());
    // The bucket is 200 deep, and one is used.
    expect(taken.filter((lease) => lease === undefined).length).toBeGreaterThan(90);
    expect(search.forecast()).toMatchObject({ ceiling: 6000, floor: 600, limit: 6000 });
    search[Symbol.dispose]();
  });

  it('names every option of the predictive limit with its default', () => {
    const { clock: _, ...plain } = LIMIT_DEFAULTS;
    const { name, limiter, floor, state, telemetry, clock, ...said } = Object.fromEntries(
      rows('limit option'),
    );
    expect(said).toEqual(
      Object.fromEntries(
        Object.entries(plain).map(([option, value]) => [
          option,
          typeof value === 'string' ? `'${value}'` : String(value),
        ]),
      ),
    );
    expect([name, limiter, floor, state, telemetry, clock]).toEqual([
      'that of the limiter',
      'must be given',
      'a tenth of the ceiling',
      'none',
      'none',
      'the system clock',
    ]);
  });

  it('names every option with its default', () => {
    const said = Object.fromEntries(rows('option'));
    const { clock: _, shouldHandle: __, sources: ___, ...plain } = PREDICTOR_DEFAULTS;
    expect(said).toEqual({
      ...Object.fromEntries(
        Object.entries(plain).map(([name, value]) => [
          name,
          typeof value === 'string' ? `'${value}'` : String(value),
        ]),
      ),
      shouldHandle: 'isFailure',
      sources: '{}',
      onWarning: 'none',
      telemetry: 'none',
      clock: 'the system clock',
    });
  });

  it('names every field of a prediction, and every metric', () => {
    const clock = new ManualClock();
    const fields = Object.keys(api.predictFailure({ clock }).prediction());
    expect(
      rows('field')
        .map(([name]) => name)
        .sort(),
    ).toEqual(fields.filter((name) => name !== 'name').sort());
    expect(rows('metric').map(([name]) => name)).toEqual(FORECAST_METRICS.map(({ name }) => name));
  });
});

import { readFileSync } from 'node:fs';
import * as auditApi from '@temper/audit';
import * as memoryApi from '@temper/audit/memory';
import * as breakerApi from '@temper/breaker';
import * as recoveryApi from '@temper/recovery';
import * as retryApi from '@temper/retry';
import { ManualClock } from '@temper/testkit';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as api from '../../src/index.ts';
import * as tuningApi from '../../src/tuning/index.ts';
import { type Autotuner, autotune, type TuningReview } from '../../src/tuning/index.ts';
import { AUTOTUNE_DEFAULTS } from '../../src/tuning/options.ts';
import { TUNING_SETTINGS } from '../../src/tuning/setting-names.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [, section = ''] = readme.split(/^## Settings that fit.*$/m);
const blocks = [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string);
const MODULES = {
  '@temper/audit': auditApi,
  '@temper/audit/memory': memoryApi,
  '@temper/breaker': breakerApi,
  '@temper/forecast': api,
  '@temper/forecast/tuning': tuningApi,
  '@temper/recovery': recoveryApi,
  '@temper/retry': retryApi,
};

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

/** Runs a block with its imports taken from the packages, and returns the names it declares. */
function run(
  index: number,
  returned: string,
  given: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  const body = stripTypes(blocks[index] as string).replaceAll(
    /import \{ (.*) \} from '(@temper\/[\w/]+)';/g,
    (_, names: string, from: string) => `const { ${names} } = $modules['${from}'];`,
  );
  const names = Object.keys(given);
  const block = new AsyncFunction('$modules', ...names, `${body}; return ${returned};`);
  return block(MODULES, ...Object.values(given));
}

/** Cells of the rows of the table whose header begins so. */
function rows(header: string): string[][] {
  const [, table = ''] = section.split(new RegExp(`\\n\\| ${header} +\\|.*\\n\\|[ -|]*\\n`));
  const lines = table.split('\n');
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

describe('the README on tuning', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has an example that observes calls that succeed and calls that fail', async () => {
    vi.stubGlobal('fetch', async () => new Response('ok'));
    const [status, waiting] = (await run(0, '[response.status, waiting]')) as [
      number,
      TuningReview['waiting'],
    ];
    expect(status).toBe(200);
    expect(waiting.map(({ setting }) => setting)).toEqual([
      'attemptTimeoutMs',
      'maxAttempts',
      'minimumThroughput',
    ]);
    const down = Object.assign(new Error('denied'), { status: 401 });
    vi.stubGlobal('fetch', () => Promise.reject(down));
    await expect(run(0, 'response')).rejects.toBe(down);
  });

  it('shows changes that are made by a reload, and recorded in the audit log', async () => {
    const [tuner, registry, policy, log] = (await run(1, '[tuner, registry, policy, log]')) as [
      Autotuner,
      recoveryApi.Pipelines,
      { tryExecute(operation: () => unknown): Promise<{ ok: boolean }> },
      auditApi.AuditLog,
    ];
    expect(await policy.tryExecute(() => 'answer')).toMatchObject({ ok: true });
    expect(await policy.tryExecute(() => Promise.reject(new Error('no')))).toMatchObject({
      ok: false,
    });
    expect(registry.list()[0]).toMatchObject({ revision: 1 });
    expect(tuner.review()).toMatchObject({ settings: { maxAttempts: 3 }, changes: [] });
    await log.close();
  });

  it('shows how calls are recorded and replayed, those that succeed and those that fail', async () => {
    const tuner = autotune({ settings: { maxAttempts: 3 }, bounds: {} });
    const registry = recoveryApi.pipeline(
      {},
      tuner.calls,
      retryApi.retry({ maxAttempts: 3, initialDelayMs: 0 }),
      tuner.tries,
    );
    let calls = 0;
    vi.stubGlobal('fetch', async () => {
      if (++calls < 3) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
      return new Response('ok');
    });
    const ratio = await run(2, '[failureRatio.value, load.value, unseen]', { tuner, registry });
    expect(ratio).toEqual([1, 2, 0]);
    calls = 2;
    expect(await run(2, 'failureRatio.value', { tuner, registry })).toBe(0);
  });

  it('names every setting with the samples that its rule needs, and every option with its default', () => {
    expect(
      rows('setting')
        .map(([name]) => name)
        .toSorted(),
    ).toEqual([...TUNING_SETTINGS].toSorted());
    const settings = { maxAttempts: 1, initialDelayMs: 1, attemptTimeoutMs: 1, hedgeDelayMs: 1 };
    const all = { ...settings, failureRateThreshold: 1, minimumThroughput: 1, openDurationMs: 1 };
    const bounds = Object.fromEntries(TUNING_SETTINGS.map((name) => [name, [1, 1]]));
    const { waiting } = autotune({ settings: all, bounds, clock: new ManualClock() }).review();
    for (const { setting, needed } of waiting) {
      const said = Number.parseInt(
        rows('setting').find(([name]) => name === setting)?.[2] ?? '',
        10,
      );
      // Both halves of the delays need as many.
      expect(said, setting).toBe(setting === 'initialDelayMs' ? 2 * needed : needed);
    }
    const defaults = Object.fromEntries(
      rows('option for tuning').map(([name, value]) => [name, value]),
    );
    const { clock: _, shouldHandle: __, ...plain } = AUTOTUNE_DEFAULTS;
    expect(defaults).toEqual({
      ...Object.fromEntries(
        Object.entries(plain).map(([name, value]) => [
          name,
          typeof value === 'string' ? `'${value}'` : String(value),
        ]),
      ),
      settings: 'required',
      bounds: 'required',
      shouldHandle: 'isTransient',
      apply: 'none',
      incident: 'none',
      guard: 'none',
      audit: 'none',
      onChange: 'none',
      telemetry: 'none',
      clock: 'the system clock',
    });
  });

  it('says how much memory a tuner takes at most, in a trial', () => {
    const tuners: Autotuner[] = [];
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 50; i++) {
      const tuner = autotune({
        settings: { maxAttempts: 3 },
        bounds: { maxAttempts: [1, 4] },
        apply: () => {},
      });
      tuner.record({ at: 0, tookMs: 1, ok: true, refused: false, tries: [] });
      tuners.push(tuner);
    }
    // A trial has one more set of counts beside the three.
    const each = ((process.memoryUsage().arrayBuffers - before) / tuners.length) * (4 / 3);
    expect(each).toBeGreaterThan(10_000);
    expect(each).toBeLessThan(100_000);
    expect(section + readme).toContain('less than 100 KB');
  });
});

import { readFileSync } from 'node:fs';
import { isTransient } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { allowDiagnostics, expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { retryBudget } from './budget.ts';
import * as api from './index.ts';
import { RETRY_DEFAULTS } from './options.ts';
import { retry } from './retry.ts';
import { ATTR_REASON, RETRY_METRICS, RETRY_SPANS } from './semconv.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of the table whose header begins with these cells. */
function table(...header: readonly string[]): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of readme.split('\n')) {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (cells.length === 0) {
      if (inside) break;
    } else if (inside) {
      rows.push(cells);
    } else {
      inside = header.every((name, i) => cells[i] === name) && !rows.length;
    }
  }
  return rows.slice(1);
}

/** Every table of options, in order of appearance. */
function optionTables(): Map<string, string>[] {
  const tables = readme.split(/\n(?=\| option )/).slice(1);
  return tables.map((text) => {
    const rows = text.split('\n').slice(2);
    const end = rows.findIndex((row) => !row.startsWith('|'));
    return new Map(
      rows.slice(0, end).map((row) => {
        const [, name = '', value = ''] = row.split('|').map((cell) => cell.trim());
        return [name.replaceAll('`', ''), value.replaceAll('`', '')];
      }),
    );
  });
}

/** The options that a maker knows, as it tells who misspells one. */
function known(make: (options: never) => unknown): string[] {
  try {
    make({ misspelt: 1 } as never);
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ');
  }
  throw new Error('It accepts anything.');
}

const shown = (value: unknown): string =>
  typeof value === 'number' && value >= 10_000 && Number.isFinite(value)
    ? String(value).replace(/(\d{3})$/, '_$1')
    : typeof value === 'string'
      ? `'${value}'`
      : typeof value === 'object'
        ? JSON.stringify(value)
            .replace(/"(\w+)":/g, ' $1: ')
            .replace('}', ' }')
        : String(value);

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

describe('the README', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has an example that runs', async () => {
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const body = example.replace(
      "import { retry } from '@temper/retry';",
      'const { retry } = temper;',
    );
    expect(body).not.toBe(example);
    const answers = [
      new Response('', { status: 503, headers: { 'retry-after': '0' } }),
      Response.json(['1.0.0']),
    ];
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string, { signal }: { signal: AbortSignal }) => {
      signal.throwIfAborted();
      asked.push(url);
      return answers[asked.length - 1];
    });
    expect(await new AsyncFunction('temper', `${body}; return versions;`)(api)).toEqual(['1.0.0']);
    expect(asked).toHaveLength(2);
  });

  it('shows how to find the attempts behind an error', async () => {
    const block = readme.split('```ts\n')[2]?.split('```')[0] ?? '';
    const body = block.replace(/import .*;\n/, 'const { retry, retryDetails } = temper;\n');
    const down = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    const logged: unknown[] = [];
    const run = new AsyncFunction('temper', 'charge', 'console', body);
    await run(api, () => Promise.reject(down), {
      error: (...args: unknown[]) => logged.push(args),
    });
    expect(logged).toEqual([['Error: down', 'after', 3, 'attempts']]);
    logged.length = 0;
    await run(api, async () => 'paid', { error: (...args: unknown[]) => logged.push(args) });
    expect(logged).toEqual([]);
  });

  it('shows two ways to have an error of its own retried', async () => {
    expectDiagnostics(/does not retry an error that it cannot classify/);
    const block = readme.split('```ts\n')[3]?.split('```')[0] ?? '';
    const body = stripTypes(block).replace(/import .*;\n/g, '');
    const run = new AsyncFunction(
      'retry',
      'isTransient',
      `${body}; return [byPredicate, httpError];`,
    );
    const [byPredicate, httpError] = (await run(retry, isTransient)) as [
      api.RetryPolicy,
      (status: number) => Error,
    ];
    let calls = 0;
    await byPredicate.tryExecute(() => Promise.reject(new Error(`HTTP 503, ${++calls}`)));
    expect(calls).toBe(3);
    calls = 0;
    const fast = retry({ initialDelayMs: 1 });
    await fast.tryExecute(() => {
      calls++;
      throw httpError(503);
    });
    expect(calls).toBe(3);
    calls = 0;
    await fast.tryExecute(() => {
      calls++;
      throw new Error('HTTP 503');
    });
    expect(calls).toBe(1);
  });

  it.each([
    ['by default', undefined, 50, 0.2],
    ['with a budget by default', {}, 50, 0.2],
    ['with the budget of the example', { ratio: 0.1, burst: 20 }, 20, 0.1],
  ])('says how much a dependency that is down is sent %s', async (_, options, burst, ratio) => {
    allowDiagnostics(/makes no further attempt of a call, as its budget is spent/);
    const clock = new ManualClock();
    const budget = options === undefined ? {} : { budget: retryBudget({ clock, ...options }) };
    const policy = retry({ clock, ...budget });
    const down = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    let isDown = false;
    let sent = 0;
    let calls = 0;
    const seconds = async (count: number): Promise<void> => {
      for (let i = 0; i < count * 20; i++) {
        for (let each = 0; each < 5; each++) {
          calls++;
          void policy.tryExecute(async () => {
            sent++;
            if (isDown) throw down;
          });
        }
        await clock.advance(50);
      }
    };
    await seconds(30);
    expect(sent).toBe(calls);
    isDown = true;
    [sent, calls] = [0, 0];
    await seconds(30);
    const earned = ratio * 1000;
    expect(sent - calls).toBeLessThanOrEqual(burst + earned);
    // What was earned expires while it is spent.
    expect(sent - calls).toBeGreaterThan(0.8 * (burst + earned));
    const retries = sent - calls;
    await seconds(30);
    expect(sent - calls).toBe(retries);
  });

  it('has an example of a shared budget that runs', () => {
    const block = readme.split('```ts\n').find((code) => code.includes("name: 'refund', budget"));
    const code = block?.split('```')[0]?.replace(/import .*\n/g, '') ?? '';
    const run = new Function('retry', 'retryBudget', `${code}; return { budget, charge, refund };`);
    const made = run(retry, retryBudget);
    expect(made.budget.name).toBe('payments');
    expect([made.charge.name, made.refund.name]).toEqual(['charge', 'refund']);
  });

  it('lists every option of a retry with its default', () => {
    const [options] = optionTables();
    expect([...(options?.keys() ?? [])].sort()).toEqual(known(retry).sort());
    const { clock: _clock, random: _random, ...plain } = RETRY_DEFAULTS;
    for (const [name, value] of Object.entries(plain)) {
      expect([name, options?.get(name)]).toEqual([name, shown(value)]);
    }
    const without = [...(options ?? [])].filter(([name]) => !(name in plain));
    expect(new Map(without)).toEqual(
      new Map([
        ...['delay', 'attemptTimeoutMs', 'budget', 'telemetry'].map(
          (name) => [name, 'none'] as const,
        ),
        ['shouldHandle', 'isTransient'],
        ['onRetry', 'none'],
        ['onGiveUp', 'none'],
        ['clock', 'the system clock'],
        ['random', 'Math.random'],
      ]),
    );
  });

  it('lists every option of a budget with its default', () => {
    const [, options] = optionTables();
    expect([...(options?.keys() ?? [])].sort()).toEqual(known(retryBudget).sort());
    const budget = retryBudget({ clock: new ManualClock() });
    expect(options?.get('name')).toBe(shown(budget.name));
    const burst = Number(options?.get('burst'));
    expect(budget.available()).toBe(burst);
    for (let i = 0; i < 1000; i++) budget.deposit(0);
    expect(budget.available()).toBe(burst + 1000 * Number(options?.get('ratio')));
    expect(options?.get('windowMs')).toBe('10_000');
  });

  it('lists every metric and span as the code defines it', () => {
    const code = (text: string): string => `\`${text}\``;
    expect(table('metric', 'instrument', 'unit', 'attributes')).toEqual(
      RETRY_METRICS.map(({ name, instrument, unit, attributes }) => [
        code(name),
        instrument,
        code(unit),
        attributes.map((attribute) => code(attribute.name)).join(', '),
      ]),
    );
    expect(table('span', 'status')).toEqual(
      RETRY_SPANS.map(({ name, status }) => [code(name), status]),
    );
  });

  it('names the codes of the errors', async () => {
    const codes = table('error', 'code', 'when').map(([error, code]) => [error, code]);
    const clock = new ManualClock();
    const policy = retry({ maxAttempts: 1, attemptTimeoutMs: 1, wrapExhausted: true, clock });
    const hang = (): Promise<never> => new Promise(() => {});
    const outcome = await clock.runUntil(policy.tryExecute(hang));
    const exhausted = (outcome as { error: api.RetryExhaustedError }).error;
    const late = await policy.tryExecute(hang, { timeoutMs: 0 });
    const errors = [exhausted, exhausted.cause, (late as { error: unknown }).error];
    expect(codes.slice(0, 3)).toEqual(
      errors.map((error) => {
        const { name, code } = error as api.RetryExhaustedError;
        return [`\`${name}\``, `\`${code}\``];
      }),
    );
    const reasons = /`reason` \((.*?)\)/.exec(readme)?.[1];
    expect(reasons?.replaceAll('`', '').split(', ')).toEqual(ATTR_REASON.values);
  });
});

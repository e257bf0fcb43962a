import { readFileSync } from 'node:fs';
import * as core from '@temper/core';
import { Call } from '@temper/core/policy';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import * as api from './index.ts';
import { BREAKER_DEFAULTS } from './resolve-options.ts';
import { BREAKER_METRICS, BREAKER_SPANS, CALL_OUTCOMES, EVENT_TRANSITION } from './semconv.ts';
import * as shared from './shared/index.ts';
import { SHARED_CIRCUIT_DEFAULTS } from './shared/options.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of every table whose header is this. */
function tables(...header: readonly string[]): string[][][] {
  const found: string[][][] = [];
  let open: string[][] | undefined;
  for (const line of readme.split('\n')) {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (cells.length === 0) {
      open = undefined;
    } else if (open !== undefined) {
      open.push(cells);
    } else if (header.join() === cells.join()) {
      open = [];
      found.push(open);
    }
  }
  return found.map((rows) => rows.slice(1));
}
const table = (...header: readonly string[]): string[][] => tables(...header)[0] ?? [];
const bare = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');

const shown = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number' && value >= 10_000
      ? String(value).replace(/(\d{3})$/, '_$1')
      : String(value);

function optionTable(index: number): Map<string, string> {
  const rows = tables('option', 'default', 'meaning')[index] ?? [];
  return new Map(rows.map(([name, value]) => [bare(name), bare(value)]));
}

/** The known options, from the message about an unknown one. */
function known(make: () => unknown): string[] {
  try {
    make();
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ').sort();
  }
  throw new Error('It accepts anything.');
}

const MODULES: Readonly<Record<string, object>> = {
  '@temper/breaker': api,
  '@temper/breaker/shared': shared,
  '@temper/core': core,
};

/** Runs a block of the README, and returns what is named. */
function run<T>(block: string, name: string): T {
  const body = stripTypes(block)
    .replace(/import \{([^}]*)\} from '([^']*)';/g, "const {$1} = modules['$2'];")
    .replace('export async function', 'async function');
  expect(body).not.toContain('import ');
  return new Function('modules', `${body}; return ${name};`)(MODULES) as T;
}

describe('the README', () => {
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  afterEach(() => vi.unstubAllGlobals());

  it('has three blocks, each run by a test below', () => {
    expect(blocks).toHaveLength(3);
  });

  it('has an example that passes answers on, counts failures and rejects while open', async () => {
    const respond = vi.fn(async () => new Response('ok', { status: 201 }));
    vi.stubGlobal('fetch', respond);
    const charge = run<(body: string) => Promise<Response>>(blocks[0] as string, 'charge');
    expect((await charge('{}')).status).toBe(201);

    respond.mockImplementation(async () => new Response('down', { status: 502 }));
    for (let i = 0; i < 4; i++) expect((await charge('{}')).status).toBe(502);
    respond.mockImplementation(async () => Promise.reject(new TypeError('fetch failed')));
    await expect(charge('{}')).rejects.toThrow('fetch failed');
    const rejected = await charge('{}');
    expect(rejected.status).toBe(503);
    expect(Number(rejected.headers.get('retry-after'))).toBeCloseTo(60, 0);
    expect(respond).toHaveBeenCalledTimes(6);
  });

  it('has an example of a half-open circuit judged by rate, whose calls wait and whose listener can be removed', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const search = run<api.CircuitBreaker>(blocks[1] as string, 'search');
    const listener = run<Disposable>(blocks[1] as string, 'listener');
    search.forceOpen(0);
    const answers = Array.from({ length: 6 }, () => Promise.withResolvers<number>());
    const calls = answers.map(({ promise }) => search.execute(() => promise));
    expect(search.stats()).toMatchObject({ trials: { running: 5 }, waiting: 1 });
    for (const [i, { resolve, reject }] of answers.entries()) {
      if (i === 0) reject(new Error('one of twenty'));
      else resolve(i);
    }
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([
      false,
      ...Array.from({ length: 5 }, () => true),
    ]);
    for (let i = 0; i < 14; i++) await search.execute(() => i);
    expect(search.state).toBe('closed');
    expect(log.mock.calls.flat()).toEqual([
      'search: closed > open',
      'search: open > half-open',
      'search: half-open > closed',
    ]);
    listener[Symbol.dispose]();
    log.mockRestore();
  });

  it('has an example of a shared circuit that works, and opens', async () => {
    const payments = run<api.CircuitBreaker>(blocks[2] as string, 'payments');
    expect(await payments.execute(() => 'paid')).toBe('paid');
    for (let i = 0; i < 5; i++) {
      await payments.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    }
    await expect(payments.execute(() => 'paid')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(payments.stats().shared).toMatchObject({ storeErrors: 0 });
  });

  it('lists every option with its default', () => {
    const options = optionTable(0);
    expect([...options.keys()].sort()).toEqual(
      known(() => circuitBreaker({ misspelt: 1 } as never)),
    );
    for (const [name, value] of Object.entries(BREAKER_DEFAULTS)) {
      if (name !== 'clock') expect([name, options.get(name)]).toEqual([name, shown(value)]);
    }
    expect(options.get('clock')).toBe('the system clock');
    const others = [...options].filter(([name]) => !(name in BREAKER_DEFAULTS));
    for (const [name, value] of others) {
      expect([name, value]).toEqual([name, 'none']);
    }
  });

  it('lists every option of a shared circuit with its default', () => {
    const options = optionTable(1);
    expect([...options.keys()].sort()).toEqual(
      known(() => shared.sharedCircuit({ misspelt: 1 } as never)),
    );
    for (const [name, value] of Object.entries(SHARED_CIRCUIT_DEFAULTS)) {
      expect([name, options.get(name)]).toEqual([name, shown(value)]);
    }
  });

  it('lists every metric and span as the code defines it', () => {
    const code = (text: string): string => `\`${text}\``;
    expect(table('metric', 'instrument', 'unit', 'attributes')).toEqual(
      BREAKER_METRICS.map(({ name, instrument, unit, attributes }) => [
        code(name),
        instrument,
        code(unit),
        attributes.map((attribute) => code(attribute.name)).join(', '),
      ]),
    );
    expect(table('span', 'status')).toEqual(
      BREAKER_SPANS.map(({ name, status }) => [code(name), status]),
    );
    expect(readme).toContain(code(EVENT_TRANSITION));
    for (const outcome of CALL_OUTCOMES) expect(readme).toContain(code(outcome));
  });

  it('names the codes of the errors', async () => {
    const breaker = circuitBreaker();
    breaker.isolate();
    const late = await circuitBreaker().tryExecute(() => 1, { timeoutMs: 0 });
    const outcomes = [await breaker.tryExecute(() => 1), late] as { error: core.TemperError }[];
    const rows = table('error', 'code', 'when').slice(0, 2);
    expect(rows.map(([error, code]) => [bare(error), bare(code)])).toEqual(
      outcomes.map(({ error }) => [error.name, error.code]),
    );
  });

  it('shows the message of a rejection', () => {
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:4873');
    const details = { state: 'open', retryAfterMs: 4200, cause } as const;
    expect(readme).toContain(`\`${new api.CircuitOpenError('payments', details).message}\``);
  });

  it('describes how outcomes count', async () => {
    const refusal = new api.CircuitOpenError('inner', { state: 'open', retryAfterMs: 1 });
    const ended = (by: core.EndedBy) => async (breaker: api.CircuitBreaker) => {
      const scope = new Call().scope();
      await breaker.tryExecute(() => scope.end(by, new Error(by)), { parent: scope });
    };
    const ways: readonly ((breaker: api.CircuitBreaker) => Promise<unknown>)[] = [
      ended('caller'),
      (breaker) => breaker.tryExecute(() => Promise.reject(refusal)),
      ended('deadline'),
      (breaker) => breaker.tryExecute(() => Promise.reject(new Error('down'))),
      (breaker) => breaker.tryExecute(() => 'ok'),
    ];
    const counted = await Promise.all(
      ways.map(async (way) => {
        const breaker = circuitBreaker();
        await way(breaker);
        return CALL_OUTCOMES.filter((outcome) => breaker.stats().calls[outcome] > 0).join();
      }),
    );
    const rows = table('the call', 'counts as').map(([, verdict]) => verdict?.split(/[,;]/)[0]);
    expect(rows).toEqual(
      counted.map((outcome) =>
        outcome === 'ignored' || outcome === 'aborted' ? outcome : `a ${outcome}`,
      ),
    );
  });
});

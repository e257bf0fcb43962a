import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './breaker.ts';
import * as api from './index.ts';
import { BREAKER_DEFAULTS } from './options.ts';
import { BREAKER_METRICS, BREAKER_SPANS } from './semconv.ts';
import { SHARED_DEFAULTS } from './shared/options.ts';

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

/** The options that are known, as the message about one that is not tells. */
function known(make: () => unknown): string[] {
  try {
    make();
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ').sort();
  }
  throw new Error('It accepts anything.');
}

describe('the README', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has an example that runs', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {}); // stripTypeScriptTypes is young
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const body = stripTypeScriptTypes(example)
      .replace(/import \{([^}]*)\} from '@temper\/breaker';/, 'const {$1} = temper;')
      .replace('export async function', 'async function');
    expect(body).not.toContain('import ');
    vi.stubGlobal(
      'fetch',
      vi.fn(async () => new Response('down', { status: 502 })),
    );
    const make = new Function('temper', `${body}; return charge;`) as (
      temper: typeof api,
    ) => (body: string) => Promise<Response>;
    const charge = make(api);
    for (let i = 0; i < 5; i++) expect((await charge('{}')).status).toBe(502);
    const rejected = await charge('{}');
    expect(rejected.status).toBe(503);
    expect(Number(rejected.headers.get('retry-after'))).toBeCloseTo(60, 0);
    expect(fetch).toHaveBeenCalledTimes(5);
  });

  it('lists every option with its default', () => {
    const options = optionTable(0);
    expect([...options.keys()].sort()).toEqual(
      known(() => circuitBreaker({ misspelt: 1 } as never)),
    );
    for (const [name, value] of Object.entries(BREAKER_DEFAULTS)) {
      expect([name, options.get(name)]).toEqual([name, shown(value)]);
    }
    const others = [...options].filter(([name]) => !(name in BREAKER_DEFAULTS));
    for (const [name, value] of others) {
      expect([name, value]).toEqual([name, name === 'clock' ? "the machine's" : 'none']);
    }
  });

  it('lists every option of a shared circuit with its default', () => {
    const options = optionTable(1);
    expect([...options.keys()].sort()).toEqual(
      known(() => circuitBreaker({ shared: { misspelt: 1 } as never })),
    );
    for (const [name, value] of Object.entries(SHARED_DEFAULTS)) {
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
    expect(readme).toContain(code(api.EVENT_TRANSITION));
    for (const outcome of api.CALL_OUTCOMES) expect(readme).toContain(code(outcome));
  });

  it('names the code of the error', () => {
    const { name, code } = new api.CircuitOpenError('p', { state: 'open', retryAfterMs: 1 });
    const [row] = table('error', 'code', 'when');
    expect([bare(row?.[0]), bare(row?.[1])]).toEqual([name, code]);
  });
});

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { classify } from './classify.ts';
import { type ErrorLogOptions, errorLog } from './error-log.ts';
import * as core from './index.ts';
import { CORE_METRICS } from './telemetry/semconv.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of the table with this header. */
function table(...header: readonly string[]): string[][] {
  const lines = readme.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const start = lines.findIndex((cells) => header.join() === cells.join());
  const rows = lines.slice(start + 2);
  return rows.slice(
    0,
    rows.findIndex((cells) => cells.length === 0),
  );
}
const words = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, word]) => word as string);

describe('the README', () => {
  it('has an example that runs', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {}); // stripTypeScriptTypes is young
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const body = stripTypeScriptTypes(example).replace(
      /import \{([^}]*)\} from '@temper\/core';/,
      'const {$1} = core;',
    );
    const make = new Function('core', `${body}; return tally;`) as (
      all: typeof core,
    ) => core.Policy;
    const tally = make(core);
    expect(await tally.execute(({ attempt }) => attempt)).toBe(1);
    expect(await tally.wrap((text: string) => text.length)('four')).toBe(4);
    expect(tally.stats()).toEqual({ calls: 2 });
  });

  it('classifies as the code does', () => {
    const rows = table('error', 'category', 'severity', 'transient');
    expect(rows.length).toBeGreaterThan(10);
    for (const [errors, category, severity, transient] of rows) {
      const verdict = {
        category: words(category)[0],
        severity: words(severity)[0],
        transient: transient === 'yes',
      };
      const examples: unknown[] = words(errors).map((word) =>
        word.endsWith('Error')
          ? Object.assign(new Error('x'), { name: word })
          : Object.assign(new Error('x'), { code: word }),
      );
      for (const [, statuses] of (errors ?? '').matchAll(/HTTP ([\d, ]+)/g)) {
        examples.push(...(statuses as string).split(',').map((one) => ({ status: Number(one) })));
      }
      if (examples.length === 0) examples.push(new Error('anything else'));
      for (const error of examples) expect([error, classify(error)]).toEqual([error, verdict]);
    }
  });

  it('lists every option of an error log with its default', () => {
    const options = new Map(
      table('option', 'default', 'meaning').map(([name, value]) => [words(name)[0], value]),
    );
    let known = '';
    try {
      errorLog({ misspelt: 1 } as ErrorLogOptions);
    } catch (error) {
      known = /known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '';
    }
    expect([...options.keys()].join(', ')).toBe(known);
    const log = errorLog();
    for (let i = 0; i < 1001; i++) log.handle(new Error('x'));
    expect(options.get('capacity')).toBe(`\`${log.stats().remembered}\``);
    expect(options.get('name')).toBe("`'errors'`");
  });

  it('lists the errors with their codes', () => {
    const rows = table('error', 'code', 'when').slice(1);
    const errors = [new core.OperationTimeoutError('p', 1), new core.DeadlineExceededError('op')];
    expect(rows.map(([name, code]) => [words(name)[0], words(code)[0]])).toEqual(
      errors.map(({ name, code }) => [name, code]),
    );
  });

  it('lists every metric as the code defines it', () => {
    expect(table('metric', 'instrument', 'unit', 'attributes')).toEqual(
      CORE_METRICS.map(({ name, instrument, unit, attributes }) => [
        `\`${name}\``,
        instrument,
        `\`${unit}\``,
        attributes.map((attribute) => `\`${attribute.name}\``).join(', '),
      ]),
    );
  });
});

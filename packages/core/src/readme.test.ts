import { readFileSync } from 'node:fs';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../test/through-policy.ts';
import { Call } from './call/context.ts';
import { classify } from './classify.ts';
import { type ErrorLogOptions, errorLog } from './error-log.ts';
import * as core from './index.ts';
import * as policyDoor from './policy.ts';
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

/** Runs a block of the README and returns what it exports. */
function run(
  block: string,
  scope: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const names: string[] = [];
  const body = stripTypes(block)
    .replace(/import \{([^}]*)\} from '([^']*)';/g, 'const {$1} = doors["$2"];')
    .replace(/export (const|function) (\w+)/g, (_, kind: string, name: string) => {
      names.push(name);
      return `${kind} ${name}`;
    });
  const doors = { '@temper/core': core, '@temper/core/policy': policyDoor };
  return new Function('doors', ...Object.keys(scope), `${body}; return { ${names.join()} };`)(
    doors,
    ...Object.values(scope),
  ) as Record<string, unknown>;
}
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string);

describe('the examples of the README', () => {
  it('are all run by these tests', () => {
    expect(blocks).toHaveLength(3);
  });

  it('report errors and decide about outcomes', () => {
    const { report, shouldHandle } = run(blocks[0] as string) as {
      report: (error: unknown) => string;
      shouldHandle: core.ShouldHandle;
    };
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(report(refused)).toMatch(/^err_[0-9a-f]{16} \(network, high\): connect ECONNREFUSED$/);
    const decide = (outcome: core.Outcome<unknown>): boolean => shouldHandle(outcome, new Call());
    expect(decide({ ok: false, error: refused })).toBe(true);
    expect(decide({ ok: false, error: new SyntaxError('x') })).toBe(false);
    expect(decide({ ok: true, value: new Response('', { status: 202 }) })).toBe(true);
    expect(decide({ ok: true, value: new Response('', { status: 200 }) })).toBe(false);
  });

  it.each([
    ['in time', 100, { user: 'user 7', news: ['news'] }],
    ['with a child that times out', 500, { user: 'user 7', news: [] }],
  ])('wrap functions and join calls, %s', async (_, newsMs, expected) => {
    const clock = new ManualClock();
    const policy = new ThroughPolicy(clock);
    const { load, page } = run(blocks[1] as string, {
      policy,
      fetchUser: async (id: string) => `user ${id}`,
      fetchNews: (signal: AbortSignal) => clock.sleep(newsMs, signal).then(() => ['news']),
    }) as { load: (id: string) => Promise<string>; page: Promise<unknown> };
    expect(await clock.runUntil(page)).toEqual(expected);
    expect(policy.calls.map(({ key }) => key)).toEqual(['tenant-7', 'tenant-7', 'tenant-7']);
    expect(await load('9')).toBe('user 9');
    expect(policy.calls[3]).toMatchObject({ key: '9', operation: 'fetch_user' });
  });

  it('define a policy with counts, durations and spans', async () => {
    const { tally } = run(blocks[2] as string) as { tally: core.Policy };
    expect(await tally.execute(({ attempt }) => attempt)).toBe(1);
    const telemetry = new InMemoryTelemetry();
    expect(await tally.wrap((text: string) => text.length)('four')).toBe(4);
    const error = Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
    expect(await tally.tryExecute(() => Promise.reject(error))).toEqual({ ok: false, error });
    expect(tally.stats()).toEqual({ success: 2, failure: 1 });
    const where = (outcome: string) => ({
      'temper.policy.name': 'registry',
      'temper.outcome': outcome,
    });
    expect(await telemetry.value('acme.tally.calls', where('success'))).toBe(2);
    expect(await telemetry.value('acme.tally.calls', where('failure'))).toBe(1);
    const duration = await telemetry.value('acme.tally.call.duration', where('success'));
    expect(duration).toMatchObject({ count: 1 });
    expect(telemetry.spans).toMatchObject([
      { name: 'tally registry', attributes: { 'error.type': 'ECONNREFUSED' } },
    ]);
    await telemetry.close();
  });
});

describe('the tables of the README', () => {
  it('list every call option with its default', async () => {
    const options = new Map(
      table('call option', 'default', 'meaning').map(([name, value]) => [words(name)[0], value]),
    );
    const policy = new ThroughPolicy(new ManualClock());
    const unknown = await policy.tryExecute(() => 1, { misspelt: 1 } as core.CallOptions);
    const known = /known are (.*)\.$/.exec(String(!unknown.ok && unknown.error))?.[1];
    expect([...options.keys()].join(', ')).toBe(known);
    const call = (await policy.execute((context) => context)) as unknown as Record<string, unknown>;
    for (const name of ['operation', 'attributes', 'cost', 'priority', 'key']) {
      const value = call[name] === undefined ? 'none' : `\`${call[name]}\``;
      expect([name, options.get(name)]).toEqual([name, value]);
    }
  });

  it('list the defaults of shouldHandle', () => {
    const rows = table('default', 'outcomes', 'default of');
    const { isFailure, isTransient, isOverload } = core;
    expect(rows.map(([name]) => words(name)[0])).toEqual(
      [isFailure, isTransient, isOverload].map(({ name }) => name),
    );
  });

  it('classify as the code does', () => {
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
        const numbers = (statuses as string).split(',').map(Number);
        examples.push(...numbers.map((status) => Object.assign(new Error('x'), { status })));
      }
      if (examples.length === 0) examples.push(new Error('anything else'));
      for (const error of examples) expect([error, classify(error)]).toEqual([error, verdict]);
    }
  });

  it('list every option of an error log with its default', () => {
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

  it('list the errors with their codes', () => {
    const rows = table('error', 'code', 'when').slice(1);
    const errors = [new core.OperationTimeoutError('p', 1), new core.DeadlineExceededError('op')];
    expect(rows.map(([name, code]) => [words(name)[0], words(code)[0]])).toEqual(
      errors.map(({ name, code }) => [name, code]),
    );
  });

  it('list every metric as the code defines it', () => {
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

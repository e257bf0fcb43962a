import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as testkit from '../src/index.ts';
import { stripTypes } from '../src/repository/strip-types.ts';
import * as simulation from '../src/simulation/index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string);

/** The packages stand above this one, so they are loaded as they were built. */
const load = (specifier: string): Promise<object> => {
  const [, name = '', door = 'index'] = /^@temper\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (name === 'testkit') return Promise.resolve(door === 'simulation' ? simulation : testkit);
  const file = door === 'index' ? 'index' : `${door}/index`;
  return import(new URL(`../../${name}/dist/${file}.js`, import.meta.url).href);
};

/** Runs a block of the README and returns what it exports. */
async function run(block: string): Promise<Record<string, unknown>> {
  const names: string[] = [];
  const body = stripTypes(block)
    .replace(/import \{([^}]*)\} from '([^']*)';/g, "const {$1} = await importModule('$2');")
    .replace(/export const (\w+|\{ \w+ \})/g, (_, name: string) => {
      names.push(name.replace(/[{} ]/g, ''));
      return `const ${name}`;
    });
  const made = new Function(
    'importModule',
    `return (async () => { ${body}; return { ${names.join()} }; })();`,
  );
  return (await made(load)) as Record<string, unknown>;
}

describe('the examples of the README', () => {
  it('are all run by these tests', () => {
    expect(blocks).toHaveLength(5);
  });

  it('retry a faulty operation in no time', async () => {
    expect(await run(blocks[0]!)).toEqual({ orders: 'orders', calls: 2 });
  });

  it('retry a faulty fetch in no time', async () => {
    expect(await run(blocks[1]!)).toEqual({ text: 'orders', calls: 3 });
  });

  it('find the span and the metric of a call', async () => {
    const { span, series } = await run(blocks[2]!);
    expect(span).toMatchObject({ status: 'unset', parentSpanId: undefined });
    expect(series).toMatchObject({ value: 1 });
  });

  it('simulate an outage', async () => {
    const { report, plot } = await run(blocks[3]!);
    const { before, during, after, recoveryMs, left } = report as simulation.SimulationReport;
    expect(before.goodput).toBeGreaterThan(0.99);
    expect(during.goodput).toBeLessThan(0.05);
    expect(during.load).toBeLessThan(0.2);
    expect(after.goodput).toBeGreaterThan(0.95);
    expect(recoveryMs).toBeLessThanOrEqual(7000);
    expect(left).toEqual({ calls: 0, timers: 0, listeners: 0 });
    expect(plot).toContain('Retry around a breaker');
  });

  it('find a seed that fails', async () => {
    const { failing } = await run(blocks[4]!);
    const { seed, scenario, report } = failing as simulation.FailingSeed;
    expect(seed).toBeGreaterThan(1);
    expect((await simulation.simulate(scenario)).trace).toEqual(report.trace);
  });
});

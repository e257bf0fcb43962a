import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SERVER_DEFAULTS } from '../src/handler-options.ts';
import { SHUTDOWN_DEFAULTS } from '../src/options.ts';
import { SHUTDOWN_METRICS } from '../src/semconv.ts';

const folder = new URL('..', import.meta.url);
const readme = readFileSync(new URL('README.md', folder), 'utf8');

/** The cells of each row of the table after `heading`. */
function table(heading: string): string[][] {
  const after = readme.slice(readme.indexOf(heading) + heading.length);
  const lines = after.slice(after.indexOf('\n|') + 1).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const code = (cell: string | undefined) => cell?.replaceAll('`', '');
const shown = (value: unknown) =>
  typeof value === 'string' ? `'${value}'` : JSON.stringify(value);

describe('README', () => {
  it.each([
    ['`gracefulShutdown(options)`:', SHUTDOWN_DEFAULTS],
    ['`shutdown.server(server, options)`:', SERVER_DEFAULTS],
  ])('states the same defaults of %s in the README as in the code', (heading, defaults) => {
    const stated = Object.fromEntries(
      table(heading).map(([option, value]) => [code(option), code(value)]),
    );
    const expected = Object.fromEntries(
      Object.entries(defaults).map(([option, value]) => [option, shown(value)]),
    );
    expect(stated).toMatchObject(expected);
  });

  it('states the same metrics in the README as in the code', () => {
    expect(table('## Telemetry').map((row) => row.map(code))).toEqual(
      SHUTDOWN_METRICS.map(({ name, instrument, unit, attributes }) => [
        name,
        instrument,
        unit,
        attributes.map((attribute) => attribute.name).join(', '),
      ]),
    );
  });

  it('runs the example of the README unchanged', async () => {
    const example = /```ts\n([\s\S]+?)```/.exec(readme)?.[1] ?? '';
    const script = `${example.replace('8080', "0, '127.0.0.1'").replace("'SIGINT'] }", "'SIGINT'], delayMs: 300 }")}
      await new Promise((resolve) => server.on('listening', resolve));
      const probe = async () => (await fetch('http://127.0.0.1:' + server.address().port + '/readyz')).status;
      console.log(await probe());
      process.kill(process.pid, 'SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(await probe());`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: folder,
    });
    let stdout = '';
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    const [exitCode] = await once(child, 'close');
    expect(stdout).toBe('200\n503\ndatabase closed\n');
    expect(exitCode).toBe(0);
  }, 20_000);

  it('runs the example with health, audit and telemetry, in this order', async () => {
    const [, example = ''] = [...readme.matchAll(/```ts\n([\s\S]+?)```/g)].map(([, code]) => code);
    // In place of the monitor and the log of other packages, ones that tell when they are called.
    const theirs =
      /^(?:import .* from '@temper\/(?:audit|health)'|const (?:audit|health) = .*);\n/gm;
    expect(example.match(theirs)).toHaveLength(4);
    const script = `const health = { setReady: (ready, reason) => console.log(ready, reason) };
      const audit = { close: () => console.log('audit closed') };
      const sdk = { shutdown: async () => console.log('telemetry exported') };
      ${example.replace(theirs, '').replace('({\n', '({ delayMs: 0,\n')}
      process.kill(process.pid, 'SIGTERM');
      setTimeout(() => {}, 100);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: folder,
    });
    let stdout = '';
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    const [exitCode] = await once(child, 'close');
    expect(stdout).toBe('false shutting down: SIGTERM\naudit closed\ntelemetry exported\n');
    expect(exitCode).toBe(0);
  }, 20_000);
});

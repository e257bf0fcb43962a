import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CHECK_DEFAULTS } from '../src/check-options.ts';
import { HANDLER_DEFAULTS } from '../src/http/options.ts';
import { HEALTH_DEFAULTS } from '../src/options.ts';
import { HEALTH_METRICS } from '../src/semconv.ts';
import { TERMINUS_DEFAULTS } from '../src/terminus/options.ts';

const folder = new URL('..', import.meta.url);
const readme = readFileSync(new URL('README.md', folder), 'utf8');

/** The cells of each row of the table after `heading`. */
function table(heading: string): string[][] {
  const after = readme.slice(readme.indexOf(heading) + heading.length);
  const lines = after.slice(after.indexOf('|')).split('\n');
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
    ['`healthMonitor(options)`:', HEALTH_DEFAULTS],
    ['A check:', CHECK_DEFAULTS],
    ['`healthHandler(monitor, options)` and `healthFetch(monitor, options)`:', HANDLER_DEFAULTS],
    ['`terminusHandler(monitor, options)`:', TERMINUS_DEFAULTS],
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
      HEALTH_METRICS.map(({ name, instrument, unit, attributes }) => [
        name,
        instrument,
        unit,
        attributes.map((attribute) => attribute.name).join(', '),
      ]),
    );
  });

  it('answers as terminus with the example for its users', async () => {
    const example = /```ts\n(import \{ terminusHandler[\s\S]+?)```/.exec(readme)?.[1] ?? '';
    const script = `import { createServer } from 'node:http';
      import { healthMonitor } from '@temper/health';
      const health = healthMonitor({ ttlMs: 0 });
      let onHealthCheck = async () => ({ postgres: 'up' });
      ${example}
      const server = createServer(probes).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.on('listening', resolve));
      const ask = async (path) => {
        const response = await fetch('http://127.0.0.1:' + server.address().port + path);
        console.log(path, response.status, await response.text());
      };
      await ask('/healthcheck');
      onHealthCheck = async () => { throw Object.assign(new Error('no'), { causes: ['postgres is down'] }); };
      await ask('/healthcheck');
      health.setReady(false, 'shutting down');
      await ask('/healthcheck');
      await ask('/livez');
      server.close();
      server.closeAllConnections();`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { cwd: folder },
    );
    expect(stdout.split('\n')).toEqual([
      '/healthcheck 200 {"status":"ok","info":{"postgres":"up"},"details":{"postgres":"up"}}',
      '/healthcheck 503 {"status":"error","error":["postgres is down"],"details":["postgres is down"]}',
      '/healthcheck 503 {"status":"error"}',
      '/livez 200 {"status":"ok"}',
      '',
    ]);
  });

  it('runs the example of the README unchanged', async () => {
    const example = /```ts\n([\s\S]+?)```/.exec(readme)?.[1] ?? '';
    const script = `${example.replace('8080', "0, '127.0.0.1'")}
      await new Promise((resolve) => server.on('listening', resolve));
      const base = 'http://127.0.0.1:' + server.address().port;
      for (const path of ['/livez', '/readyz', '/hello']) {
        const response = await fetch(base + path);
        console.log(path, response.status, (await response.text()).trim());
      }
      server.close();
      server.closeAllConnections();`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { cwd: folder },
    );
    // A PostgreSQL server may or may not run on this machine.
    expect(stdout.split('\n')).toEqual([
      '/livez 200 ok',
      expect.stringMatching(/^\/readyz (503 unhealthy|200 ok)$/),
      '/hello 200 hello',
      '',
    ]);
  });
});

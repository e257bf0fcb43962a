import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './servers/programs.ts';

const observability = fileURLToPath(new URL('../', import.meta.url));
const LIMIT_MS = 240_000;

describe('the packed package', { timeout: LIMIT_MS }, () => {
  const folder = temporaryFolder();
  const project = join(folder.path, 'project');

  const command = (program: string, args: readonly string[], cwd = project) => {
    // Without what npm and pnpm tell the programs that they start, such as this test.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(?:npm|pnpm)_/i.test(name)),
    );
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      cwd,
      env,
      encoding: 'utf8',
    });
    return { status, text: `${stdout}${stderr}${error?.message ?? ''}` };
  };
  const npx = (...args: readonly string[]) =>
    command('npx', ['--offline', '@temper/observability', ...args]);

  beforeAll(() => {
    // pnpm replaces the versions of the workspace, as it does when it publishes.
    const packed = command('pnpm', ['pack', '--pack-destination', folder.path], observability);
    expect(packed.status, packed.text).toBe(0);
    const tarball = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) as string;
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "private": true }');
    // Offline: it needs no other package.
    const install = ['install', '--offline', '--no-audit', '--no-fund', join(folder.path, tarball)];
    const installed = command('npm', install);
    expect(installed.status, installed.text).toBe(0);
  }, LIMIT_MS);

  afterAll(() => folder[Symbol.dispose]());

  it('writes the files of this repository by default', () => {
    expect(npx('mixin', '--out', 'default')).toMatchObject({ status: 0 });
    const same = (mine: string, ours: string): void => {
      expect(readFileSync(join(project, 'default', mine), 'utf8'), mine).toBe(
        readFileSync(join(observability, ours), 'utf8'),
      );
    };
    same('rules.yaml', 'prometheus/rules/scrape.yaml');
    same('alertmanager.yaml', 'alertmanager/alertmanager.yaml');
    const dashboards = readdirSync(join(project, 'default/dashboards'));
    expect(dashboards).toHaveLength(7);
    for (const name of dashboards) same(`dashboards/${name}`, `dashboards/scrape/${name}`);
  });

  it('writes what a configuration asks for, and checks it', () => {
    writeFileSync(
      join(project, 'temper.json'),
      JSON.stringify({
        nameStyle: 'otlp',
        selector: 'env="prod"',
        labels: { cluster: 'region' },
        policies: { payments: { objective: 0.999 } },
      }),
    );
    expect(npx('mixin', '--config', 'temper.json')).toMatchObject({ status: 0 });
    const rules = readFileSync(join(project, 'temper-mixin/rules.yaml'), 'utf8');
    expect(rules).toContain('by (region, namespace, job, temper_policy_name)');
    expect(rules).toContain('temper_breaker_call_duration_seconds_bucket{env="prod"}');
    expect(rules).toContain('{temper_policy_name="payments"} > 0.0144');
    expect(npx('mixin', '--config', 'temper.json', '--check')).toMatchObject({ status: 0 });
    expect(npx('mixin', '--check')).toMatchObject({
      status: 1,
      text: expect.stringContaining('rules.yaml is missing or differs'),
    });
  });

  it('names the setting of a configuration that cannot be used', () => {
    writeFileSync(join(project, 'bad.json'), '{ "minimum": { "calls": "many" } }');
    expect(npx('mixin', '--config', 'bad.json')).toEqual({
      status: 1,
      text: 'bad.json: minimum.calls must be a whole number from 1, not "many".\n',
    });
    writeFileSync(join(project, 'broken.json'), '{');
    expect(npx('mixin', '--config', 'broken.json')).toMatchObject({
      status: 1,
      text: expect.stringMatching(/^broken\.json: /),
    });
    expect(npx('mixin', '--config', 'none.json')).toMatchObject({ status: 1 });
  });

  it('explains itself, and prints the default settings', () => {
    expect(npx('--help')).toMatchObject({ status: 0, text: expect.stringContaining('Usage:') });
    expect(npx('mixins')).toMatchObject({ status: 2, text: expect.stringContaining('Usage:') });
    expect(npx('mixin', '--colour')).toMatchObject({ status: 2 });
    const printed = JSON.parse(npx('config').text);
    expect(printed).toMatchObject({ nameStyle: 'scrape', minimum: { calls: 50 } });
    writeFileSync(join(project, 'defaults.json'), JSON.stringify(printed));
    expect(npx('mixin', '--config', 'defaults.json', '--out', 'default', '--check')).toMatchObject({
      status: 0,
    });
  });

  it('holds the licenses of what is inside', () => {
    const licenses = readFileSync(
      join(project, 'node_modules/@temper/observability/dist/LICENSES.txt'),
      'utf8',
    );
    expect(licenses).toMatch(/^@grafana\/grafana-foundation-sdk .* \(Apache-2\.0\)/m);
    expect(licenses).toMatch(/^yaml .* \(ISC\)/m);
  });
});

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG, type MixinConfig } from '../../src/mixin/config.ts';
import { readConfig } from '../../src/mixin/read-config.ts';
import { NAME_STYLES, SHIPPED_STYLES } from '../../src/prometheus-names.ts';
import { ALERT_NAMES } from '../../src/rules/alerts/index.ts';
import { rulesYaml } from '../../src/rules/files.ts';
import {
  ALERTMANAGER,
  available,
  findProgram,
  optional,
  PINT,
  PROMTOOL,
  root,
  temporaryFolder,
} from './programs.ts';

const run = available({ promtool: PROMTOOL, alertmanager: ALERTMANAGER });

/** Configurations in which everything differs from the default. */
const CONFIGS: readonly MixinConfig[] = NAME_STYLES.flatMap((nameStyle) => [
  { ...DEFAULT_CONFIG, nameStyle },
  readConfig(
    {
      nameStyle,
      selector: 'env="prod"',
      labels: {
        cluster: 'k8s.cluster.name',
        namespace: null,
        job: 'service.name',
        instance: 'service.instance.id',
      },
      jobs: ['shop'],
      policies: { 'a.b|"c"': { objective: 0.9, rejectedRatio: 0.5, latencySeconds: 0.01 } },
    },
    ALERT_NAMES,
  ),
]);

describe.runIf(run)('the Prometheus rules', () => {
  const promtool = (...args: readonly string[]): { status: number | null; text: string } => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL as string, args, { encoding: 'utf8' });
    return { status, text: stdout + stderr };
  };

  it.each([...SHIPPED_STYLES, 'parsercraft'])('pass promtool: %s.yaml', (style) => {
    const { status, text } = promtool(
      'check',
      'rules',
      `${root}observability/prometheus/rules/${style}.yaml`,
    );
    expect(status, text).toBe(0);
  });

  it('are loaded by a configuration that promtool accepts', () => {
    const { status, text } = promtool(
      'check',
      'config',
      `${root}observability/prometheus/prometheus.yaml`,
    );
    expect(status, text).toBe(0);
  });

  it('are routed by an Alertmanager configuration that separates pages from tickets', () => {
    const amtool = findProgram('amtool');
    expect(amtool).toBeDefined();
    const config = `--config.file=${root}observability/alertmanager/alertmanager.yaml`;
    const ask = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync(amtool as string, args, { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return stdout.trim();
    };
    ask('check-config', `${root}observability/alertmanager/alertmanager.yaml`);
    expect(ask('config', 'routes', 'test', config, 'severity=page')).toBe('pages');
    expect(ask('config', 'routes', 'test', config, 'severity=ticket')).toBe('tickets');
  });
});

describe.runIf(optional('pint', PINT))('the Prometheus rules by pint', () => {
  it.each(
    CONFIGS.map((config, index) => [
      `${config.nameStyle}, ${index % 2 === 0 ? 'defaults' : 'everything else'}`,
      config,
    ]),
  )('have no problem of any severity: %s', (_, config) => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'rules.yaml');
    writeFileSync(file, rulesYaml(config as MixinConfig));
    const { status, stdout, stderr } = spawnSync(
      PINT as string,
      ['--offline', '--no-color', 'lint', '--min-severity=info', '--fail-on=info', file],
      { encoding: 'utf8', cwd: folder.path },
    );
    const text = stdout + stderr;
    expect(status, text).toBe(0);
    expect(text).toContain('entries=');
    expect(text).not.toContain('Problems found');
  });
});

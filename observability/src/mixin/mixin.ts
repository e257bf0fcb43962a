import { alertmanagerYaml } from '../alertmanager.ts';
import { grafanaDashboard } from '../dashboards/grafana.ts';
import { DASHBOARDS } from '../dashboards/index.ts';
import type { DashboardDefinition } from '../dashboards/panel.ts';
import { rulesYaml } from '../rules/files.ts';
import { scalingFiles } from '../scaling/manifests.ts';
import type { MixinConfig } from './config.ts';

/** The JSON of a dashboard. */
export function dashboardJson(definition: DashboardDefinition, config: MixinConfig): string {
  return `${JSON.stringify(grafanaDashboard(definition, config), null, 2)}\n`;
}

/** Content of every file of the mixin by its path. */
export function mixinFiles(config: MixinConfig): ReadonlyMap<string, string> {
  return new Map([
    ['rules.yaml', rulesYaml(config)],
    ['alertmanager.yaml', alertmanagerYaml(config)],
    ...DASHBOARDS.map((one) => [`dashboards/${one.uid}.json`, dashboardJson(one, config)] as const),
    ...scalingFiles(config),
  ]);
}

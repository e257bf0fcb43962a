import { alertmanagerYaml } from '../alertmanager.ts';
import { grafanaDashboard } from '../dashboards/grafana.ts';
import { DASHBOARDS } from '../dashboards/index.ts';
import { type DashboardDefinition, usedPart } from '../dashboards/panel.ts';
import { rulesYaml } from '../rules/files.ts';
import { scalingFiles } from '../scaling/manifests.ts';
import type { MixinConfig } from './config.ts';

/** The JSON of a dashboard. */
function dashboardJson(definition: DashboardDefinition, config: MixinConfig): string {
  return `${JSON.stringify(grafanaDashboard(definition, config), null, 2)}\n`;
}

/** The JSON of the dashboards, as far as they are about what the service has, by their paths. */
export function dashboardFiles(
  definitions: readonly DashboardDefinition[],
  config: MixinConfig,
): readonly (readonly [path: string, content: string])[] {
  return definitions.flatMap((one) => {
    const used = usedPart(one, config.uses);
    return used === undefined ? [] : [[`dashboards/${one.uid}.json`, dashboardJson(used, config)]];
  });
}

/** Content of every file of the mixin by its path. */
export function mixinFiles(config: MixinConfig): ReadonlyMap<string, string> {
  return new Map([
    ['rules.yaml', rulesYaml(config)],
    ['alertmanager.yaml', alertmanagerYaml(config)],
    ...dashboardFiles(DASHBOARDS, config),
    ...scalingFiles(config),
  ]);
}

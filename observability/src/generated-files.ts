import { readFileSync } from 'node:fs';
import { alertmanagerYaml } from './alertmanager.ts';
import { DASHBOARDS } from './dashboards/index.ts';
import { PARSERCRAFT } from './dashboards/parsercraft.ts';
import { DEFAULT_CONFIG, type MixinConfig } from './mixin/config.ts';
import { dashboardFiles } from './mixin/mixin.ts';
import { readConfig } from './mixin/read-config.ts';
import { SHIPPED_STYLES } from './prometheus-names.ts';
import { referenceMarkdown } from './reference.ts';
import { ALERT_NAMES } from './rules/alerts/index.ts';
import { rulesYaml } from './rules/files.ts';
import { runbookPages } from './runbook-pages.ts';
import { weaverManifest, weaverRegistry } from './weaver.ts';

/** The configuration of the ParserCraft service: the thresholds of its own policies. */
export function parserCraftConfig(): MixinConfig {
  const file = new URL('../mixins/parsercraft.json', import.meta.url);
  return readConfig(JSON.parse(readFileSync(file, 'utf8')), ALERT_NAMES);
}

/** The same files in a folder. */
function within(
  folder: string,
  files: ReturnType<typeof dashboardFiles>,
): readonly (readonly [path: string, content: string])[] {
  return files.map(([path, content]) => [path.replace(/^dashboards/, folder), content]);
}

/** Content of every generated file by its path, relative to the root of the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/telemetry.md', referenceMarkdown()],
    ['observability/weaver/registry_manifest.yaml', weaverManifest()],
    ['observability/weaver/temper.yaml', weaverRegistry()],
    ['observability/alertmanager/alertmanager.yaml', alertmanagerYaml(DEFAULT_CONFIG)],
    ['observability/prometheus/rules/parsercraft.yaml', rulesYaml(parserCraftConfig())],
    ...within(
      'observability/dashboards/parsercraft',
      dashboardFiles([...DASHBOARDS, PARSERCRAFT], parserCraftConfig()),
    ),
    ...SHIPPED_STYLES.flatMap((nameStyle) => {
      const config = { ...DEFAULT_CONFIG, nameStyle };
      return [
        [`observability/prometheus/rules/${nameStyle}.yaml`, rulesYaml(config)] as const,
        ...within(`observability/dashboards/${nameStyle}`, dashboardFiles(DASHBOARDS, config)),
      ];
    }),
    ...runbookPages(),
  ]);
}

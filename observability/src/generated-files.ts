import { dashboardFiles } from './dashboards/grafana.ts';
import { NAME_STYLES } from './prometheus-names.ts';
import { referenceMarkdown } from './reference.ts';
import { ruleFiles } from './rules/files.ts';
import { runbookPages } from './runbook-pages.ts';
import { weaverManifest, weaverRegistry } from './weaver.ts';

/** Content of every generated file by its path, relative to the root of the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/telemetry.md', referenceMarkdown()],
    ['observability/weaver/registry_manifest.yaml', weaverManifest()],
    ['observability/weaver/temper.yaml', weaverRegistry()],
    ...dashboardFiles(NAME_STYLES),
    ...ruleFiles(NAME_STYLES),
    ...runbookPages(),
  ]);
}

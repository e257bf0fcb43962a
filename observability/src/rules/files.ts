import { stringify } from 'yaml';
import { Names } from '../names.ts';
import type { NameStyle } from '../prometheus-names.ts';
import { ALERTS } from './alerts.ts';
import { RECORDING_RULES } from './recording.ts';

const RUNBOOKS = 'https://github.com/temper-js/temper/blob/main/docs/runbooks';

/** The content of the rule file for one name style. */
export function rulesYaml(style: NameStyle, runbooks: string = RUNBOOKS): string {
  const names = new Names(style);
  const document = {
    groups: [
      {
        name: 'temper-recording',
        interval: '15s',
        rules: RECORDING_RULES.map(({ record, expr }) => ({ record, expr: expr(names) })),
      },
      {
        name: 'temper-alerts',
        interval: '15s',
        rules: ALERTS.map((rule) => ({
          alert: rule.alert,
          expr: rule.expr(names),
          for: rule.for,
          labels: { severity: rule.severity },
          annotations: {
            summary: rule.summary,
            description: rule.description,
            runbook_url: `${runbooks}/${rule.runbook}.md`,
          },
        })),
      },
    ],
  };
  const head =
    '# Generated from the packages’ constants; do not edit.\n' +
    `# For metric names ${style === 'scrape' ? 'as served by the Prometheus exporter of OpenTelemetry for JavaScript' : 'as ingested over OTLP, with units'}.\n`;
  return head + stringify(document, { lineWidth: 0 });
}

/** Path, relative to the root of the repository, and content of the rule file of each style. */
export function ruleFiles(styles: readonly NameStyle[]): readonly (readonly [string, string])[] {
  return styles.map((style) => [`observability/prometheus/rules/${style}.yaml`, rulesYaml(style)]);
}

import { getRunbook, listRunbooks } from './catalog.ts';
import type { Reference, Runbook, Step } from './runbook.ts';

/** A runbook as a Markdown page. */
export function runbookMarkdown(runbook: Runbook): string {
  const { id, title, description, symptoms, rootCauses, steps, prevention, alerts } = runbook;
  return `${[
    `# ${title}`,
    description,
    `Runbook \`${id}\`. Alerts: ${alerts.map((one) => `\`${one}\``).join(', ')}.`,
    '## Symptoms',
    list(symptoms),
    '## Root causes',
    list(rootCauses),
    '## Steps',
    steps.map(stepMarkdown).join('\n'),
    '## Prevention',
    list(prevention),
    '',
  ]
    .join('\n\n')
    .trimEnd()}\n`;
}

/** All runbooks as one Markdown document. */
export function guideMarkdown(): string {
  const sections = listRunbooks().map((id) => {
    const runbook = getRunbook(id) as Runbook;
    return runbookMarkdown(runbook)
      .replace(/^# .*$/m, `# ${id.toUpperCase()}`)
      .replace(/^#/gm, '##');
  });
  return ['# Operations guide\n', ...sections].join('\n');
}

function stepMarkdown({ action, expect, references = [] }: Step, index: number): string {
  return [
    `${index + 1}. ${action}.${expect === undefined ? '' : ` ${expect}`}`,
    ...references.map((reference) => `   - ${referenceMarkdown(reference)}`),
  ].join('\n');
}

function referenceMarkdown(reference: Reference): string {
  switch (reference.kind) {
    case 'metric':
      return `metric \`${reference.name}\`: \`${reference.query}\``;
    case 'panel':
      return `panel "${reference.panel}" of the dashboard \`${reference.dashboard}\``;
    case 'endpoint':
      return `\`${reference.method} ${reference.path}\``;
    case 'command':
      return `\`${reference.command}\``;
  }
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

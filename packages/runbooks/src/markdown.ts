import { getRunbook, listRunbooks } from './catalog.ts';
import type { Reference, Runbook, Step } from './runbook.ts';

/** A runbook as a Markdown page. */
export function runbookMarkdown(runbook: Runbook): string {
  const { id, title, description, symptoms, rootCauses, setup, steps, prevention, alerts } =
    runbook;
  return `${[
    `# ${title}`,
    description,
    `Runbook \`${id}\`. Alerts: ${alerts.map((one) => `\`${one}\``).join(', ')}.`,
    '## Symptoms',
    list(symptoms),
    '## Root causes',
    list(rootCauses),
    '## Setup',
    'In `bash`, with `curl` and `jq`, in the root of the repository. The defaults are those of `npm start`; set a variable before these lines to use another service.',
    fenced('sh', setup),
    '## Steps',
    'In the outputs, `…` stands for anything, `N` for a number above 0, and `(nothing)` for no output; other lines can be among them.',
    steps.map(stepMarkdown).join('\n\n'),
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
    return headingsDeeper(
      runbookMarkdown(runbook).replace(/^# .*$/m, () => `# ${id.toUpperCase()}`),
    );
  });
  return ['# Operations guide\n', ...sections].join('\n');
}

/** One more `#` before each heading. A comment of a command is no heading. */
function headingsDeeper(markdown: string): string {
  let inBlock = false;
  return markdown
    .split('\n')
    .map((line) => {
      if (/^ *```/.test(line)) inBlock = !inBlock;
      return !inBlock && line.startsWith('#') ? `#${line}` : line;
    })
    .join('\n');
}

function stepMarkdown(step: Step, index: number): string {
  const { action, expect, run, good, bad, references = [] } = step;
  const number = `${index + 1}.`;
  const parts = [`${action}.${expect === undefined ? '' : ` ${expect}`}`];
  if (references.length > 0) parts.push(list(references.map(referenceMarkdown)));
  if (run !== undefined) parts.push(fenced('sh', run));
  if (good !== undefined) parts.push('Good:', fenced('text', good));
  if (bad !== undefined) parts.push('Bad:', fenced('text', bad));
  const indent = ' '.repeat(number.length + 1);
  const lines = parts.join('\n\n').split('\n');
  return lines
    .map((line, at) => (at === 0 ? `${number} ${line}` : line === '' ? '' : `${indent}${line}`))
    .join('\n');
}

function referenceMarkdown(reference: Reference): string {
  return reference.kind === 'metric'
    ? `metric \`${reference.name}\``
    : `panel "${reference.panel}" of the dashboard \`${reference.dashboard}\``;
}

function fenced(language: 'sh' | 'text', content: string): string {
  return ['```', language, '\n', content, '\n```'].join('');
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

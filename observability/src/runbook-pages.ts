import { getRunbook, listRunbooks, type Runbook, runbookMarkdown } from '@temper/runbooks';

/** Path and content of the pages in docs/runbooks: one per runbook, and an index. */
export function runbookPages(): readonly (readonly [string, string])[] {
  const all = listRunbooks().map((id) => getRunbook(id) as Runbook);
  const index = [
    '# Runbooks',
    '',
    'Generated from `@temper/runbooks`; do not edit. Also available as `npx @temper/runbooks list`.',
    '',
    ...all.map(({ id, title, description }) => `- [${title}](${id}.md): ${description}`),
    '',
  ].join('\n');
  return [
    ['docs/runbooks/README.md', index],
    ...all.map((runbook) => [`docs/runbooks/${runbook.id}.md`, runbookMarkdown(runbook)] as const),
  ];
}

import { getRunbook, listRunbooks, type Runbook, runbookMarkdown } from '@temper/runbooks';

/** Path and content of the pages in docs/runbooks: one per runbook, and an index. */
export function runbookPages(): readonly (readonly [string, string])[] {
  const all = listRunbooks().map((id) => getRunbook(id) as Runbook);
  const index = [
    '# Runbooks',
    '',
    'Generated from `@temper/runbooks`; do not edit. In the root of the repository, the command of the package',
    'lists them, and prints one with `show`:',
    '',
    '```sh',
    'apps/demo/node_modules/.bin/temper-runbooks list',
    '```',
    '',
    'Good:',
    '',
    '```text',
    ...all.map(({ id, description }) => `${id}…${description}`),
    '```',
    '',
    ...all.map(({ id, title, description }) => `- [${title}](${id}.md): ${description}`),
    '',
  ].join('\n');
  return [
    ['docs/runbooks/README.md', index],
    ...all.map((runbook) => [`docs/runbooks/${runbook.id}.md`, runbookMarkdown(runbook)] as const),
  ];
}

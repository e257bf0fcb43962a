export { getRunbook, listRunbooks, runbookForAlert } from './catalog.ts';
export { guideMarkdown, runbookMarkdown } from './markdown.ts';
export type { Reference, Runbook, RunbookId, Step } from './runbook.ts';

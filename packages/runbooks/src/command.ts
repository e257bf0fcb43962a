import { getRunbook, listRunbooks } from './catalog.ts';
import { guideMarkdown, runbookMarkdown } from './markdown.ts';

const USAGE = `Usage: temper-runbooks <command>

  list            the runbooks, a line each
  show <runbook>  one runbook, as Markdown
  print           all of them, as one document
  help            this text

Ends with 0, or with 2 when it was called wrongly.
`;

/** What the command prints, and how it ends. */
export function command(args: readonly string[]): { code: number; out: string; err: string } {
  const [verb = 'help', id, ...rest] = args;
  const ok = (out: string): ReturnType<typeof command> => ({ code: 0, out, err: '' });
  const wrong = (err: string): ReturnType<typeof command> => ({ code: 2, out: '', err });
  if (rest.length > 0 || (id !== undefined && verb !== 'show')) {
    return wrong(`temper-runbooks: too many arguments\n\n${USAGE}`);
  }
  if (verb === 'help' || verb === '--help' || verb === '-h') return ok(USAGE);
  if (verb === 'print') return ok(guideMarkdown());
  if (verb === 'list') {
    const width = Math.max(...listRunbooks().map((one) => one.length));
    return ok(
      listRunbooks()
        .map((one) => `${one.padEnd(width)}  ${getRunbook(one)?.description}\n`)
        .join(''),
    );
  }
  if (verb !== 'show') return wrong(`temper-runbooks: unknown command '${verb}'\n\n${USAGE}`);
  const runbook = id === undefined ? undefined : getRunbook(id);
  if (runbook === undefined) {
    const what = id === undefined ? 'show needs a runbook' : `no runbook '${id}'`;
    return wrong(`temper-runbooks: ${what}; there are ${listRunbooks().join(', ')}\n`);
  }
  return ok(runbookMarkdown(runbook));
}

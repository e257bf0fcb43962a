import { getRunbook, listRunbooks } from './catalog.ts';
import { guideMarkdown, runbookMarkdown } from './markdown.ts';

const USAGE = `Usage: temper-runbooks <command>

  list            list the runbooks, one per line
  show <runbook>  print a runbook as Markdown
  print           print all runbooks as one document
  help            print this help

Exit codes: 0 on success, 2 on wrong usage.
`;

/** Runs the command. Returns its output and exit code. */
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
    const what = id === undefined ? 'show requires a runbook' : `unknown runbook '${id}'`;
    return wrong(`temper-runbooks: ${what}; available: ${listRunbooks().join(', ')}\n`);
  }
  return ok(runbookMarkdown(runbook));
}

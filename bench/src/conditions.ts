import { execFileSync } from 'node:child_process';

/** What the figures depend on, as paths of git. */
const SOURCES = [':(glob)packages/*/src/**', 'bench/src', 'pnpm-lock.yaml'];

/** Runs git and returns what it prints. */
export type Git = (...args: readonly string[]) => string;

/** git in this folder. */
export const gitIn =
  (cwd: string): Git =>
  (...args) =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** The present commit, and whether the sources differ from it. */
export function revision(git: Git): string {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  return git('status', '--porcelain', '--', ...SOURCES) === ''
    ? commit
    : `${commit} with uncommitted changes`;
}

/**
 * Whether a report still describes the present sources.
 *
 * @param page - the report, which names the commit that it was measured at
 * @returns a sentence that says what has changed; `undefined` when nothing has
 */
export function staleness(page: string, git: Git): string | undefined {
  const commit = /at commit ([0-9a-f]{7,40})( with uncommitted changes)?/.exec(page);
  if (commit === null) return 'The report does not say which commit it was measured at.';
  const [, hash = '', unclean] = commit;
  if (unclean !== undefined) return `It was measured at ${hash} with uncommitted changes.`;
  try {
    git('cat-file', '-e', `${hash}^{commit}`);
  } catch {
    return `It was measured at ${hash}, which this repository does not have.`;
  }
  // Against the working tree: what is not committed counts too.
  const changed = git('diff', '--name-only', hash, '--', ...SOURCES);
  const files = changed === '' ? 0 : changed.split('\n').length;
  if (files === 0) return undefined;
  return `Sources have changed since it was measured at ${hash}: ${files} ${files === 1 ? 'file' : 'files'}.`;
}

/** Load above which the figures of a whole run are not worth keeping. */
const MAX_LOAD = 1;

export const BEWARE = 'only ratios say anything, and those against a disk little';

/** Whether other processes want so much of the machine that they disturb the figures. */
export const isBusy = (load: number): boolean => load > MAX_LOAD;

/**
 * Why nothing is measured now, if so. A short run only shows that everything works.
 *
 * @param load - average over the last minute
 */
export function refusal(
  load: number,
  { short, busy }: { readonly short: boolean; readonly busy: boolean },
): string | undefined {
  if (!isBusy(load) || short || busy) return undefined;
  return `The load of this machine is ${load.toFixed(1)}, and must be at most ${MAX_LOAD}: ${BEWARE}. Wait, or measure all the same with --busy.`;
}

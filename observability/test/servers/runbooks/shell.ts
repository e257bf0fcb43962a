import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { delimiter, dirname } from 'node:path';
import { root } from '../programs.ts';

/** A `bash` in the root of the repository, into which blocks are typed one after the other. */
export interface Shell extends Disposable {
  /** Runs a block and returns what it printed, errors included, and the exit code of its last command. */
  type(
    block: string,
    limitMs?: number,
  ): Promise<{ readonly output: string; readonly code: number }>;
}

export function openShell(env: Readonly<Record<string, string>>): Shell {
  const child = spawn('bash', ['--noprofile', '--norc'], {
    cwd: root,
    env: {
      HOME: process.env.HOME ?? '/',
      // `npm` and `node` of the machine; the page itself chooses the Node of the service.
      PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let printed = '';
  let heard = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
    heard();
  });
  child.stdin.write('exec 2>&1\n');
  return {
    type: async (block, limitMs = 90_000) => {
      const mark = randomUUID();
      printed = '';
      const done = new Promise<number>((resolve, reject) => {
        const limit = setTimeout(() => {
          child.kill('SIGKILL');
          reject(new Error(`Not done after ${limitMs} ms:\n${block}\n\n${printed}`));
        }, limitMs);
        heard = () => {
          const end = new RegExp(`^${mark} (\\d+)$`, 'm').exec(printed);
          if (end === null) return;
          clearTimeout(limit);
          resolve(Number(end[1]));
        };
      });
      // Commands must not read what is typed after them.
      child.stdin.write(`{ ${block}\n} < /dev/null\nprintf '\\n%s %s\\n' ${mark} $?\n`);
      const code = await done;
      return { output: printed.slice(0, printed.indexOf(mark)).replace(/\n$/, ''), code };
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLAGS = ['-std=c11', '-Wall', '-Werror', '-O1'];

/** The compilers whose warnings differ, as far as they are installed; `cc` is one of them or another. */
const COMPILERS: readonly string[] = ['cc', 'gcc', 'clang'].filter(
  (command) => spawnSync(command, ['--version']).status === 0,
);

/** Whether a C compiler is available. Throws in CI when it is not. */
export function hasCompiler(): boolean {
  const found = COMPILERS.includes('cc');
  if (!found && process.env.CI === 'true')
    throw new Error('CI requires a C compiler, but cc was not found.');
  return found;
}

/** A temporary folder for compiled programs, removed at the end of the `using` block. */
export class Workshop implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'parsercraft-'));

  /**
   * Compiles a C file with each compiler, with warnings as errors. Returns the path of the program that `cc`
   * made.
   */
  compile(name: string, c: string): string {
    const source = join(this.#folder, `${name}.c`);
    writeFileSync(source, c);
    for (const compiler of COMPILERS) {
      const target = join(this.#folder, `${name}.${compiler}`);
      const { status, stderr } = spawnSync(compiler, [...FLAGS, '-o', target, source], {
        encoding: 'utf8',
      });
      if (status !== 0)
        throw new Error(`${compiler} failed to compile ${name}:\n${stderr.slice(0, 4000)}`);
    }
    return join(this.#folder, `${name}.cc`);
  }

  run(
    program: string,
    ...args: string[]
  ): { output: string; errorOutput: string; exitCode: number | null } {
    const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' });
    return { output: stdout, errorOutput: stderr, exitCode: status };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

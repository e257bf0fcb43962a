import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLAGS = ['-std=c11', '-Wall', '-Werror', '-O1'];

/** Whether a C compiler is available. Throws in CI when it is not. */
export function hasCompiler(): boolean {
  const found = spawnSync('cc', ['--version']).status === 0;
  if (!found && process.env.CI === 'true')
    throw new Error('CI requires a C compiler, but cc was not found.');
  return found;
}

/** A temporary folder for compiled programs, removed at the end of the `using` block. */
export class Workshop implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'parsercraft-'));

  /** Compiles a C file with warnings as errors. Returns the path of the program. */
  compile(name: string, c: string): string {
    const source = join(this.#folder, `${name}.c`);
    const target = join(this.#folder, name);
    writeFileSync(source, c);
    const { status, stderr } = spawnSync('cc', [...FLAGS, '-o', target, source], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`cc failed to compile ${name}:\n${stderr.slice(0, 4000)}`);
    return target;
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

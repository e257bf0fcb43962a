import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const HERE = import.meta.dirname;
const SERVER = join(HERE, '../dist/lsp/main.js');
/** What Debian's Neovim is told by the README. */
const SETUP = /^Before 0\.11.*?```lua\n(?<lua>.*?)```/ms.exec(
  readFileSync(join(HERE, '../README.md'), 'utf8'),
)?.groups?.lua as string;

const hasNeovim = spawnSync('nvim', ['--version']).status === 0;

describe.skipIf(!hasNeovim)('Neovim with the lines of the README', () => {
  it('shows diagnostics and types, and renames', { timeout: 180_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'neovim-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [program, init, seen] = ['sum.pc', 'init.lua', 'seen.json'].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    const command = join(folder, 'parsercraft-lsp');
    writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${SERVER}' "$@"\n`);
    chmodSync(command, 0o755);
    writeFileSync(init, SETUP);
    writeFileSync(program, 'let sum = 1 + 2\nprint(sum + "one")\n');
    const args = ['--headless', '-n', '-i', 'NONE', '-u', init, program];
    const { stderr } = spawnSync('nvim', [...args, '-c', `luafile ${join(HERE, 'neovim.lua')}`], {
      encoding: 'utf8',
      timeout: 170_000,
      env: {
        ...process.env,
        HOME: folder,
        XDG_STATE_HOME: folder,
        PATH: `${folder}${delimiter}${process.env.PATH}`,
        SEEN: seen,
      },
    });
    expect(JSON.parse(readFileSync(seen, 'utf8')), stderr).toEqual({
      filetype: 'core',
      diagnostics: [{ line: 1, column: 12, message: 'expected int, found string', severity: 1 }],
      hover: expect.objectContaining({ value: expect.stringContaining('sum: int') }),
      renamed: ['let total = 1 + 2', 'print(total)'],
    });
  });
});

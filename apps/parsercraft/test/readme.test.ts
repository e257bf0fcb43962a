import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bundledDefinition, createToolchain } from '../src/index.ts';
import { DEFAULT_MAX_OUTPUT_BYTES, DEFAULT_MAX_STEPS } from '../src/interpret/run.ts';
import { LSP_PROCESS_DEFAULTS } from '../src/lsp/lsp-process.ts';
import {
  DEFAULT_MAX_LENGTH,
  MAX_NESTING,
  MAX_SYNTAX_ERRORS,
  MAX_TREE_DEPTH,
} from '../src/parse/parse.ts';
import { DEFAULT_PROTOCOL_STEPS } from '../src/protocols/protocol-set.ts';
import { REGISTRY_CLIENT_DEFAULTS } from '../src/registry-client/client.ts';
import { formatDiagnostic } from '../src/source/diagnostic.ts';
import type { PackageSource } from '../src/types/check.ts';
import { packageServer } from './package-server.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = await readFile(join(root, 'README.md'), 'utf8');

/** The code blocks of a language, in order. */
function blocks(language: string): readonly string[] {
  return [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code as string);
}

/** The rows of the table under a heading, as lists of cells. */
function table(heading: string): readonly (readonly string[])[] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** Runs a code block as a separate program, against the sources. */
async function runBlock(code: string, replacements: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parsercraft-readme-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  let text = code.replaceAll(
    "'@temper/parsercraft'",
    JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href),
  );
  for (const [from, to] of Object.entries(replacements)) text = text.replaceAll(from, to);
  const file = join(folder, 'example.ts');
  await writeFile(file, text);
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    file,
  ]);
  return stdout;
}

describe('the README', () => {
  it('the first README example prints what its comments say', async () => {
    const source = await readFile(join(root, 'examples/packages/std.math/main.pc'), 'utf8');
    const server = await packageServer([{ name: 'std.math', version: '1.0.0', source }]);
    const printed = await runBlock(blocks('ts')[0] as string, {
      'http://127.0.0.1:4810': server.url,
    });
    expect(printed).toMatch(/name: 'shared'[\s\S]*type: 'int'[\s\S]*line: 2[\s\S]*column: 5/);
    expect(printed).toContain('gcd 12\n');
    expect(printed).toContain('int main(void) {');
    expect(printed.trimEnd().endsWith('expected int, found string')).toBe(true);
  });

  it('the language server and protocol examples of the README print what their comments say', async () => {
    const [, lsp, protocols] = blocks('ts');
    // The server starts from source here, which can exceed the default timeout on a busy machine.
    const patient = { 'new LspProcess()': 'new LspProcess({ requestTimeoutMs: 25_000 })' };
    expect(await runBlock(lsp as string, patient)).toContain('sum: int');
    expect(await runBlock(protocols as string)).toBe("method 'close' of Stream is missing: fn()\n");
  });

  it('the syntax example of the README parses, type-checks and runs', async () => {
    const [text] = blocks('');
    const definition = bundledDefinition('core');
    const source = async (name: string): Promise<[string, PackageSource]> => [
      name,
      {
        source: await readFile(join(root, `examples/packages/${name}/main.pc`), 'utf8'),
        definition,
      },
    ];
    const packages = new Map([
      await source('std.math'),
      await source('std.text'),
      ['odd-name', { source: 'fn one() { return 1 }', definition }],
    ]);
    const toolchain = createToolchain(definition, { packages });
    expect(toolchain.diagnostics(text as string).map(formatDiagnostic)).toEqual([]);
    const { output } = await toolchain.run(text as string);
    expect(output.split('\n').slice(0, 2)).toEqual(['hello World 6', '1']);
    expect(output.endsWith('\n63\n')).toBe(true);
  });

  it('the option table of the README has the defaults of the code', () => {
    const defaults = {
      'maxLength of parse, createToolchain': DEFAULT_MAX_LENGTH,
      'maxSteps of run': DEFAULT_MAX_STEPS,
      'maxOutputBytes of run': DEFAULT_MAX_OUTPUT_BYTES,
      'maxSteps of ProtocolSet.check': DEFAULT_PROTOCOL_STEPS,
      ...Object.fromEntries(
        Object.entries(REGISTRY_CLIENT_DEFAULTS).map(([name, value]) => [
          `${name} of RegistryClient`,
          value,
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(LSP_PROCESS_DEFAULTS).map(([name, value]) => [
          `${name} of LspProcess`,
          value,
        ]),
      ),
    };
    const told = table('Options').map(([option, of, value]) => [
      `${option} of ${of}`,
      Number(value),
    ]);
    expect(Object.fromEntries(told)).toEqual(defaults);
    expect(readme).toContain(
      `nesting (${MAX_NESTING} brackets or blocks, ${MAX_TREE_DEPTH} nodes) and the number of errors (${MAX_SYNTAX_ERRORS})`,
    );
  });

  it('the error table of the README lists every error class with its code', async () => {
    const found: Record<string, string> = {};
    for (const file of await readdir(join(root, 'src'), { recursive: true })) {
      if (!file.endsWith('errors.ts')) continue;
      const text = await readFile(join(root, 'src', file), 'utf8');
      for (const [, name, code] of text.matchAll(
        /export class (\w+)[\s\S]*?code(?:: string)? = '(\w+)'/g,
      )) {
        found[name as string] = code as string;
      }
    }
    expect(Object.fromEntries(table('Errors').map(([name, code]) => [name, code]))).toEqual(found);
    const exported = await import('../src/index.ts');
    expect(Object.keys(exported)).toEqual(expect.arrayContaining(Object.keys(found)));
  });
});

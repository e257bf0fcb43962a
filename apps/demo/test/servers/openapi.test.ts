import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import openapiTS, { astToString } from 'openapi-typescript';
import { expect, it, onTestFinished } from 'vitest';
import { runService } from './running-service.ts';

const HERE = import.meta.dirname;
const TSC = join(HERE, '../../node_modules/.bin/tsc');
const FLAGS =
  '--ignoreConfig --strict --noEmit --module nodenext --target esnext --types node --allowImportingTsExtensions';

/** A program of a stranger. A line that it expects to be refused is an error if the compiler accepts it. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { components, paths } from './api.ts';

const [url = '', token = ''] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: url });
const headers = { authorization: \`Bearer \${token}\` };

const run = await api.POST('/v1/run', { body: { source: 'print(6 * 7)' } });
const output: string | undefined = run.data?.output;
const compiled = await api.POST('/v1/compile', { body: { source: 'print(1)', language: 'core' } });
const faulty = await api.POST('/v1/compile', { body: { source: 'print(1 + "one")' } });
const problem: components['schemas']['Problem'] | undefined = faulty.error;
const tree = await api.GET('/v1/packages/{name}', {
  params: { path: { name: 'std.report' }, query: { range: '^1.0.0' } },
});
const hover = await api.POST('/v1/lsp/{method}', {
  params: { path: { method: 'hover' } },
  body: { text: 'let x = 5', position: { line: 0, character: 4 } },
});
const refused = await api.POST('/v1/faults', { body: { name: 'flapping', on: false } });
const fault = await api.POST('/v1/faults', { headers, body: { name: 'flapping', on: false } });
const health = await api.GET('/v1/health');
const policies = await api.GET('/v1/policies');

// @ts-expect-error the program is in \`source\`
await api.POST('/v1/run', { body: { program: 'print(1)' } });
// @ts-expect-error no such method of the language server
await api.POST('/v1/lsp/{method}', { params: { path: { method: 'guess' } }, body: { text: '' } });
// @ts-expect-error no such path
await api.GET('/v1/nowhere');
// @ts-expect-error the answer of a run has no C
run.data?.c;
// @ts-expect-error a run has no such problem
run.error?.code === 'conflict';

console.log(JSON.stringify({
  output,
  c: compiled.data?.c.includes('int main(void)'),
  problem: problem?.code,
  at: problem?.diagnostics?.[0]?.start.line,
  packages: Object.keys(tree.data?.lock.packages ?? {}).length,
  hover: JSON.stringify(hover.data?.result),
  refused: refused.error?.code,
  fault: fault.data?.on,
  checks: Object.keys(health.data?.checks ?? {}).includes('registry'),
  breaker: policies.data?.breakers.ast_codegen?.state,
}));
`;

it('a client made from the OpenAPI document has the types of the service', async () => {
  const { call, url, token } = await runService();
  // Beside this file, so that the program finds `openapi-fetch`.
  const folder = mkdtempSync(join(HERE, 'client-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { body } = await call({ path: '/v1/openapi.json' });
  writeFileSync(join(folder, 'api.ts'), astToString(await openapiTS(body)));
  writeFileSync(join(folder, 'client.ts'), PROGRAM);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const run = (command: string, args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    return stdout;
  };
  run(TSC, [...FLAGS.split(' '), 'client.ts']);
  expect(JSON.parse(run(process.execPath, ['client.ts', url, token]))).toEqual({
    output: '42\n',
    c: true,
    problem: 'invalid-program',
    at: 1,
    packages: 7,
    hover: expect.stringContaining('x: int'),
    refused: 'unauthorized',
    fault: false,
    checks: true,
    breaker: 'closed',
  });
});

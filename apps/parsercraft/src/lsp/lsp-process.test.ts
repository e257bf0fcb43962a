import { describe, expect, it } from 'vitest';
import {
  LspClosedError,
  LspExitError,
  LspRequestError,
  LspTimeoutError,
  LspUnavailableError,
} from './errors.ts';
import { LspProcess, type LspProcessOptions } from './lsp-process.ts';

const URI = 'file:///home/ada/sums.pc';
const TEXT =
  'use std.math\n\nfn add(a: int, b: int): int { return a + b }\nlet sum = add(1, 2)\nprint(sum, math.one())\n';
const packages = { 'std.math': { source: 'fn one(): int { return 1 }\n' } };

async function started(options: LspProcessOptions = {}): Promise<LspProcess> {
  const lsp = new LspProcess({
    requestTimeoutMs: 20_000,
    ...options,
    initialization: { packages, ...options.initialization },
  });
  await lsp.start();
  return lsp;
}

const at = (line: number, character: number) => ({
  textDocument: { uri: URI },
  position: { line, character },
});

describe('the language server as a process', () => {
  it('pushes diagnostics and returns them on request', async () => {
    const sent: unknown[] = [];
    await using lsp = await started({
      onNotification: (method, params) => sent.push({ method, params }),
    });
    await lsp.open(URI, 'let x: int = "text"\n');
    const report = await lsp.request('textDocument/diagnostic', { textDocument: { uri: URI } });
    const items = [
      expect.objectContaining({
        message: 'expected int, found string',
        range: { start: { line: 0, character: 13 }, end: { line: 0, character: 19 } },
      }),
    ];
    expect(report).toEqual({ kind: 'full', items });
    // Pushed when nothing has changed for a while.
    await expect
      .poll(() => sent, { timeout: 20_000 })
      .toEqual([
        {
          method: 'textDocument/publishDiagnostics',
          params: { uri: URI, version: 1, diagnostics: items },
        },
      ]);
    await lsp.open(URI, 'let x = 1\n');
    expect(await lsp.request('textDocument/diagnostic', { textDocument: { uri: URI } })).toEqual({
      kind: 'full',
      items: [],
    });
  });

  it('completes names and keywords, and the functions of a package after its dot', async () => {
    await using lsp = await started();
    await lsp.open(URI, TEXT);
    const labels = async (line: number, character: number) =>
      (
        (await lsp.request('textDocument/completion', at(line, character))) as { label: string }[]
      ).map(({ label }) => label);
    expect(await labels(4, 0)).toEqual(
      expect.arrayContaining(['sum', 'add', 'print', 'while', 'math']),
    );
    // Inside the function its parameters are visible and the variable of the main program is not.
    const inside = await labels(2, 37);
    expect(inside).toEqual(expect.arrayContaining(['a', 'b']));
    expect(inside).not.toContain('sum');
    // The variable is not visible before its declaration.
    expect(await labels(3, 0)).not.toContain('sum');
    expect(await labels(4, 16)).toEqual(['one']);
  });

  it('shows the type of a name on hover', async () => {
    await using lsp = await started();
    await lsp.open(URI, TEXT);
    expect(await lsp.request('textDocument/hover', at(3, 11))).toEqual({
      contents: { kind: 'markdown', value: '```core\nfn add(int, int): int\n```' },
      range: { start: { line: 3, character: 10 }, end: { line: 3, character: 13 } },
    });
    expect(await lsp.request('textDocument/hover', at(4, 17))).toMatchObject({
      contents: { value: '```core\nfn one(): int\n```' },
    });
    expect(await lsp.request('textDocument/hover', at(1, 0))).toBeNull();
  });

  it('finds the declaration and the references of a name', async () => {
    await using lsp = await started();
    await lsp.open(URI, TEXT);
    const range = (line: number, start: number, end: number) => ({
      start: { line, character: start },
      end: { line, character: end },
    });
    expect(await lsp.request('textDocument/definition', at(4, 7))).toEqual({
      uri: URI,
      range: range(3, 4, 7),
    });
    const params = { ...at(3, 5), context: { includeDeclaration: true } };
    expect(await lsp.request('textDocument/references', params)).toEqual([
      { uri: URI, range: range(3, 4, 7) },
      { uri: URI, range: range(4, 6, 9) },
    ]);
  });

  it('renames every occurrence and rejects a new name that conflicts with another', async () => {
    await using lsp = await started();
    await lsp.open(URI, TEXT);
    const edit = (line: number, start: number, end: number) => ({
      range: { start: { line, character: start }, end: { line, character: end } },
      newText: 'total',
    });
    expect(await lsp.request('textDocument/rename', { ...at(3, 4), newName: 'total' })).toEqual({
      changes: { [URI]: [edit(3, 4, 7), edit(4, 6, 9)] },
    });
    for (const [newName, why] of [
      ['add', /conflicts with an existing name/],
      ['while', /not a valid name in this language/],
      ['1st', /not a valid name in this language/],
    ] as const) {
      const refused = lsp.request('textDocument/rename', { ...at(3, 4), newName });
      await expect(refused).rejects.toThrow(why);
    }
    // b would become a second declaration of a.
    const same = lsp.request('textDocument/rename', { ...at(2, 15), newName: 'a' });
    await expect(same).rejects.toThrow(/conflicts with an existing name/);
    // The inner b would hide the outer one without a diagnostic.
    const hidden = 'file:///hidden.pc';
    await lsp.open(hidden, 'let a = 1\nif true { let b = 2 print(a, b) }\n');
    const place = { textDocument: { uri: hidden }, position: { line: 0, character: 4 } };
    const shadowed = lsp.request('textDocument/rename', { ...place, newName: 'b' });
    await expect(shadowed).rejects.toThrow(/conflicts with an existing name/);
    const foreign = lsp.request('textDocument/rename', { ...at(4, 17), newName: 'two' });
    await expect(foreign).rejects.toThrow(/not declared in this document/);
  });

  it('renames beside a syntax error, unless one of the names is used there', async () => {
    await using lsp = await started();
    const edit = (line: number, start: number, end: number) => ({
      range: { start: { line, character: start }, end: { line, character: end } },
      newText: 'total',
    });
    const place = { textDocument: { uri: URI }, position: { line: 0, character: 4 } };
    const rename = () => lsp.request('textDocument/rename', { ...place, newName: 'total' });
    await lsp.open(URI, 'let sum = 1\nprint(sum)\nlet other = (\n');
    expect(await rename()).toEqual({ changes: { [URI]: [edit(0, 4, 7), edit(1, 6, 9)] } });
    for (const used of ['sum', 'total']) {
      await lsp.open(URI, `let sum = 1\nprint(sum)\nfn f(a b ${used}) { }\n`);
      await expect(rename(), used).rejects.toThrow(/where the document has a syntax error/);
    }
  });

  it('formats a document unless it has syntax errors', async () => {
    await using lsp = await started();
    const params = { textDocument: { uri: URI }, options: { tabSize: 2, insertSpaces: true } };
    await lsp.open(URI, 'let   x=1 // one\nif x==1{print( x )}');
    expect(await lsp.request('textDocument/formatting', params)).toEqual([
      {
        range: { start: { line: 0, character: 0 }, end: { line: 1, character: 19 } },
        newText: 'let x = 1 // one\nif x == 1 {\n  print(x)\n}\n',
      },
    ]);
    await lsp.open(URI, 'let x = (1');
    expect(await lsp.request('textDocument/formatting', params)).toBeNull();
  });

  it('returns semantic tokens', async () => {
    await using lsp = await started();
    await lsp.open(URI, 'fn f(a: int) { print(a) } // x');
    const { data } = (await lsp.request('textDocument/semanticTokens/full', {
      textDocument: { uri: URI },
    })) as { data: number[] };
    const kinds = [
      'keyword',
      'comment',
      'string',
      'number',
      'operator',
      'function',
      'variable',
      'parameter',
      'type',
      'namespace',
    ];
    let character = 0;
    const tokens: string[] = [];
    for (let i = 0; i < data.length; i += 5) {
      character += data[i + 1] as number;
      tokens.push(`${character}+${data[i + 2]} ${kinds[data[i + 3] as number]} ${data[i + 4]}`);
    }
    expect(tokens).toEqual([
      '0+2 keyword 0',
      '3+1 function 1',
      '5+1 parameter 1',
      '8+3 type 2',
      '15+5 function 2',
      '21+1 parameter 0',
      '26+4 comment 0',
    ]);
  });

  it('determines the language from the document, and accepts definitions from the client', async () => {
    await using lsp = await started();
    await lsp.open('file:///a.es.pc', 'escribe(1)\n');
    await lsp.open('untitled:1', 'write(1)\n', { languageId: 'algol' });
    for (const uri of ['file:///a.es.pc', 'untitled:1']) {
      const report = await lsp.request('textDocument/diagnostic', { textDocument: { uri } });
      expect(report).toEqual({ kind: 'full', items: [] });
    }
    await using broken = new LspProcess({ initialization: { definitions: ['name: 3'] } });
    await expect(broken.start()).rejects.toThrow(/Invalid language definition/);
  });

  it('rejects a request for a document that is not open', async () => {
    await using lsp = await started();
    const refused = lsp.request('textDocument/hover', at(0, 0));
    await expect(refused).rejects.toThrow(LspRequestError);
    await expect(refused).rejects.toMatchObject({ isInvalid: true, rpcCode: -32602 });
  });

  it('fails pending requests when the process exits, then restarts it with the open documents', async () => {
    const ends: LspExitError[] = [];
    await using lsp = await started({ onExit: (error) => ends.push(error) });
    await lsp.open(URI, TEXT);
    const { pid } = lsp;
    const lost = lsp.request('textDocument/hover', at(3, 11));
    lsp.kill();
    await expect(lost).rejects.toThrow(LspExitError);
    expect(await lsp.request('textDocument/hover', at(3, 11))).toMatchObject({
      contents: { value: '```core\nfn add(int, int): int\n```' },
    });
    expect(lsp.pid).not.toBe(pid);
    expect(lsp.restarts).toBe(1);
    expect(ends).toEqual([expect.objectContaining({ signal: 'SIGKILL' })]);
  });

  it('kills a server that hangs, and restarts it with the open documents', async () => {
    const ends: LspExitError[] = [];
    await using lsp = await started({
      heartbeatTimeoutMs: 2_000,
      requestTimeoutMs: 120_000,
      maxStarts: 100,
      onExit: (error) => ends.push(error),
    });
    await lsp.open(URI, TEXT);
    process.kill(lsp.pid as number, 'SIGSTOP');
    const lost = lsp.request('textDocument/hover', at(3, 11));
    await expect(lost).rejects.toThrow(LspExitError);
    await expect(lost).rejects.toThrow(/did not answer for 2000 ms/);
    expect(ends[0]).toMatchObject({ signal: 'SIGKILL' });
    const again = lsp.request('textDocument/hover', at(3, 11));
    expect(await again).toMatchObject({
      contents: { value: '```core\nfn add(int, int): int\n```' },
    });
  });

  it('kills a server that does not start', async () => {
    const silent = { command: process.execPath, args: ['-e', 'process.stdin.resume()'] };
    await using lsp = new LspProcess({
      server: silent,
      startTimeoutMs: 100,
      requestTimeoutMs: 120_000,
      maxStarts: 1,
    });
    await expect(lsp.start()).rejects.toThrow(/did not start within 100 ms/);
  });

  it('leaves a server alone that answers the heartbeat with an error', async () => {
    const reply = `
      let text = '';
      process.stdin.on('data', (part) => {
        text += part;
        for (const [, id] of text.matchAll(/"id":(\\d+)/g)) {
          const error = { code: -32601, message: 'unknown' };
          const body = JSON.stringify({ jsonrpc: '2.0', id: Number(id), ...(id === '0' ? { result: {} } : { error }) });
          process.stdout.write('Content-Length: ' + body.length + '\\r\\n\\r\\n' + body);
        }
        text = '';
      });`;
    const server = { command: process.execPath, args: ['-e', reply] };
    await using lsp = new LspProcess({
      server,
      heartbeatTimeoutMs: 4_000,
      requestTimeoutMs: 60_000,
    });
    await lsp.start();
    const { pid } = lsp;
    await expect(lsp.request('any', {})).rejects.toThrow(/unknown/);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(lsp.pid).toBe(pid);
  });

  it('retains nothing of a completed request', async () => {
    await using lsp = await started();
    await lsp.open(URI, TEXT);
    const asked = lsp.request('textDocument/hover', at(3, 11));
    expect(lsp.waiting).toBe(1);
    await asked;
    await Promise.all(
      Array.from({ length: 50 }, () => lsp.request('textDocument/hover', at(3, 11))),
    );
    expect(lsp.waiting).toBe(0);
  });

  it('reports LspExitError however the connection to the exited server breaks', async () => {
    await using lsp = await started({ maxStarts: 100 });
    for (let round = 0; round < 8; round++) {
      await lsp.start();
      const { pid } = lsp;
      lsp.kill();
      // The pipe can break before, during or after the exit event.
      if (round > 1) await new Promise((resolve) => setTimeout(resolve, (round - 2) / 3));
      const outcome = await lsp.open(`${URI}${round}`, TEXT).catch((error: unknown) => error);
      expect([undefined, 'LspExitError']).toContain((outcome as Error | undefined)?.name);
      await expect.poll(() => lsp.pid, { timeout: 20_000 }).not.toBe(pid);
    }
  }, 60_000);

  it('stops restarting a process that exits too often until the window has passed', async () => {
    let now = 0;
    await using lsp = await started({ maxStarts: 2, restartWindowMs: 1000, now: () => now });
    now = 400;
    lsp.kill();
    await expect.poll(() => lsp.restarts, { timeout: 20_000 }).toBe(1);
    await lsp.start();
    lsp.kill();
    await expect.poll(() => lsp.state, { timeout: 20_000 }).toBe('down');
    const refused = lsp.start();
    await expect(refused).rejects.toThrow(LspUnavailableError);
    await expect(refused).rejects.toMatchObject({
      retryAfterMs: 600,
      message: expect.stringMatching(
        /exited \d+ times within 1000 ms, the last time (on|with) \S+;/,
      ),
    });
    now = 999;
    await expect(lsp.start()).rejects.toMatchObject({ retryAfterMs: 1 });
    now = 1000;
    await lsp.start();
    expect(lsp.state).toBe('running');
  });

  it('rejects a request at its timeout and on abort', async () => {
    const silent = { command: process.execPath, args: ['-e', 'process.stdin.resume()'] };
    await using lsp = new LspProcess({ server: silent, closeTimeoutMs: 100 });
    await expect(lsp.start({ timeoutMs: 50 })).rejects.toThrow(LspTimeoutError);
    const reason = new Error('no longer wanted');
    const controller = new AbortController();
    const asked = lsp.start({ signal: controller.signal });
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await expect(lsp.start({ signal: controller.signal })).rejects.toBe(reason);
  });

  it('reports why a server cannot start', async () => {
    await using missing = new LspProcess({
      server: { command: '/nowhere/at-all', args: [] },
      maxStarts: 1,
    });
    await expect(missing.start()).rejects.toThrow(/ENOENT/);
    await using failing = new LspProcess({
      server: {
        command: process.execPath,
        args: ['-e', 'console.error("no luck"); process.exit(3)'],
      },
      maxStarts: 1,
    });
    await expect(failing.start()).rejects.toThrow(/exited with code 3/);
  });

  it('close() ends the process and rejects later requests', async () => {
    const lsp = await started();
    const pid = lsp.pid as number;
    await lsp.close();
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    await expect(lsp.request('textDocument/hover', at(0, 0))).rejects.toThrow(LspClosedError);
    expect(lsp.state).toBe('closed');
  });

  it('rejects a request without a position and an unknown method', async () => {
    await using lsp = await started();
    await lsp.open(URI, TEXT);
    const bare = lsp.request('textDocument/hover', { textDocument: { uri: URI } });
    await expect(bare).rejects.toMatchObject({ isInvalid: true, rpcCode: -32602 });
    const unknown = lsp.request('textDocument/sing', at(0, 0));
    await expect(unknown).rejects.toMatchObject({ isInvalid: true, rpcCode: -32601 });
  });
});

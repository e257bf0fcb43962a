import { describe, expect, it, onTestFinished } from 'vitest';
import { ownServer, ServerProcess } from './server-process.ts';

const NOT_INITIALIZED = { code: -32002 };
const INVALID = { code: -32600 };
const uri = 'file:///sum.pc';
const textDocument = { uri, languageId: 'core', version: 1, text: 'let x = 1\n' };
const hover = { textDocument: { uri }, position: { line: 0, character: 4 } };

function started(): ServerProcess {
  const server = new ServerProcess(ownServer(), undefined);
  onTestFinished(() => server.kill());
  return server;
}

describe('the lifecycle of the language server', () => {
  it('answers -32002 to each request before initialize, and drops notifications', async () => {
    const server = started();
    const { connection } = server;
    for (const method of ['textDocument/hover', 'textDocument/sing', 'shutdown']) {
      await expect(connection.sendRequest(method, hover), method).rejects.toMatchObject(
        NOT_INITIALIZED,
      );
    }
    await connection.sendNotification('textDocument/didOpen', { textDocument });
    await server.initialize({});
    const asked = connection.sendRequest('textDocument/hover', hover);
    await expect(asked).rejects.toThrow(/not open/);
    await connection.sendNotification('textDocument/didOpen', { textDocument });
    expect(await connection.sendRequest('textDocument/hover', hover)).toMatchObject({
      contents: { value: '```core\nx: int\n```' },
    });
  });

  it('answers -32600 to a second initialize, and to each request after shutdown', async () => {
    const server = started();
    const { connection } = server;
    await server.initialize({});
    await expect(server.initialize({})).rejects.toMatchObject(INVALID);
    await connection.sendRequest('shutdown');
    for (const method of ['textDocument/hover', 'textDocument/sing', 'shutdown']) {
      await expect(connection.sendRequest(method, hover), method).rejects.toMatchObject(INVALID);
    }
    await expect(server.initialize({})).rejects.toMatchObject(INVALID);
    await connection.sendNotification('exit');
    expect(await server.exited).toMatchObject({ exitCode: 0 });
  });

  it('takes another initialize after one with invalid options', async () => {
    const server = started();
    const wrong = server.initialize({ definitions: ['name: ['] });
    await expect(wrong).rejects.toMatchObject({ code: -32602 });
    await server.initialize({});
  });
});

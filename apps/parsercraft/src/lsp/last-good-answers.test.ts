import { describe, expect, it } from 'vitest';
import { LastGoodAnswers } from './last-good-answers.ts';
import { LspProcess } from './lsp-process.ts';

const URI = 'file:///sum.pc';
const GOOD = 'let sum = 1 + 2\nprint(sum)\n';
const ask = (line: number, character: number) => ({
  textDocument: { uri: URI },
  position: { line, character },
});

describe('answers without the server', () => {
  it('answers like the language server', async () => {
    const local = new LastGoodAnswers();
    local.learn(URI, GOOD);
    await using lsp = new LspProcess({ requestTimeoutMs: 20_000 });
    await lsp.open(URI, GOOD);
    for (const method of [
      'hover',
      'completion',
      'definition',
      'diagnostic',
      'semanticTokens/full',
    ]) {
      const wanted = await lsp.request(`textDocument/${method}`, ask(1, 7));
      const own = local.answer(`textDocument/${method}`, ask(1, 7));
      expect(JSON.parse(JSON.stringify(own)), method).toEqual(wanted);
    }
  });

  it('answers from the last version of a document without syntax errors', () => {
    const local = new LastGoodAnswers();
    expect(local.learn(URI, 'let broken = (')).toBe(false);
    expect(local.answer('textDocument/hover', ask(1, 7))).toBeUndefined();
    expect(local.learn(URI, GOOD)).toBe(true);
    local.learn(URI, 'let other = (');
    expect(local.answer('textDocument/hover', ask(1, 7))).toMatchObject({
      contents: { value: '```core\nsum: int\n```' },
    });
    local.forget(URI);
    expect(local.answer('textDocument/hover', ask(1, 7))).toBeUndefined();
  });

  it('keeps the 100 most recent documents', () => {
    const local = new LastGoodAnswers();
    local.learn(URI, GOOD);
    for (let i = 0; i < 99; i += 1) local.learn(`file:///${i}.pc`, GOOD);
    expect(local.answer('textDocument/hover', ask(1, 7))).toBeDefined();
    local.learn('file:///last.pc', GOOD);
    expect(local.answer('textDocument/hover', ask(1, 7))).toBeUndefined();
  });

  it('returns undefined for an unknown method', () => {
    expect(new LastGoodAnswers().answer('textDocument/sing', ask(0, 0))).toBeUndefined();
  });
});

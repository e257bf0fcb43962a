import { describe, expect, it } from 'vitest';
import type { EditorQuestion, Jobs } from '../workers/jobs.ts';
import { perform } from '../workers/perform.ts';
import type { RunOptions, WorkerPool } from '../workers/pool.ts';
import { LastGoodTexts } from './last-good-texts.ts';

const uri = 'lastgood:///document';
const VALID = 'let sum = 1 + 2\nprint(sum)\n';

/** Texts with a pool that works in this process. */
function texts() {
  const clients: unknown[] = [];
  const run = async (kind: 'editor', jobOf: () => EditorQuestion, { client }: RunOptions) => {
    clients.push(client);
    return (await perform({ kind, input: jobOf() })) as Jobs['editor']['result'];
  };
  const workers = { run } as unknown as WorkerPool;
  const known = new LastGoodTexts({ initialization: {}, workers });
  const ask = (text: string, client?: string, method = 'textDocument/hover') => {
    const params = { textDocument: { uri }, position: { line: 0, character: 5 } };
    const asked = { document: 'main', language: 'core', text, uri, method, params };
    return known.answer(asked, client);
  };
  return { known, ask, clients };
}

const hover = { contents: { value: '```core\nsum: int\n```' } };

describe('answers to editors without the language server', () => {
  it.each([undefined, 'ann'])('come from the current text, for client %s', async (client) => {
    const { ask, clients } = texts();
    expect(await ask(VALID, client)).toMatchObject(hover);
    expect(clients).toEqual([client]);
  });

  it('come from the text that is kept while the current one is not valid', async () => {
    const { ask, known } = texts();
    expect(await ask('let sum = (')).toBeUndefined();
    known.keep({ document: 'main', language: 'core', text: VALID });
    expect(await ask('let sum = (')).toMatchObject(hover);
    expect(known.has({ document: 'main', language: 'core', text: VALID })).toBe(true);
    expect(known.has({ document: 'main', language: 'algol', text: VALID })).toBe(false);
  });

  it('are undefined for an unknown method', async () => {
    expect(await texts().ask(VALID, 'ann', 'textDocument/sing')).toBeUndefined();
  });

  it('keep the 100 documents that were kept last', () => {
    const { known } = texts();
    const text = (at: number) => ({ document: `d${at}`, language: 'core', text: VALID });
    for (let at = 0; at <= 100; at += 1) known.keep(text(at));
    expect([known.has(text(0)), known.has(text(1)), known.has(text(100))]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

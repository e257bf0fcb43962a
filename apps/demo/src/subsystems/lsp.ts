import { safeText } from '@temper/core/policy';
import { LastGoodAnswers, type LspInitialization, LspProcess } from '@temper/parsercraft';
import type { LspSubsystem } from '@temper/parsercraft-handlers';
import { marking } from './error-marks.ts';

/** Methods of the language server by their name in the API. */
export const LSP_METHODS = {
  diagnostics: 'textDocument/diagnostic',
  completion: 'textDocument/completion',
  hover: 'textDocument/hover',
  definition: 'textDocument/definition',
  references: 'textDocument/references',
  symbols: 'textDocument/documentSymbol',
  rename: 'textDocument/rename',
  formatting: 'textDocument/formatting',
  tokens: 'textDocument/semanticTokens/full',
} as const;

export type LspMethod = keyof typeof LSP_METHODS;

/** A language server request together with the text it is about. */
export interface LspQuestion {
  readonly text: string;
  readonly language: string;
  /** Key under which the last valid text is kept. */
  readonly document: string;
  /** Zero-based, as in the Language Server Protocol. */
  readonly position?: { readonly line: number; readonly character: number };
  readonly newName?: string;
}

export interface LspAccess extends AsyncDisposable {
  readonly process: LspProcess;
  readonly subsystem: LspSubsystem<LspQuestion, unknown>;
}

interface LspAccessOptions {
  readonly initialization: LspInitialization;
  readonly onExit: (reason: string) => void;
}

const REQUEST_TIMEOUT_MS = 10_000;
/** High, because the demo crashes the server on purpose. */
const RESTARTS_PER_MINUTE = 2_000;

/** Runs the language server as a child process that is restarted, and keeps the last valid texts. */
export function lspAccess({ initialization, onExit }: LspAccessOptions): LspAccess {
  const process = new LspProcess({
    initialization,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    maxStarts: RESTARTS_PER_MINUTE,
    onExit: (error) => onExit(safeText(error.message.split('\n')[0])),
  });
  const lastGood = new LastGoodAnswers(initialization);
  let questions = 0;

  // Each request opens its own document, so that concurrent requests do not interfere.
  const ask = async (method: LspMethod, question: LspQuestion, signal: AbortSignal) => {
    questions += 1;
    const uri = `inmemory:///${questions}`;
    const { text, language: languageId } = question;
    try {
      await process.open(uri, text, { languageId, signal });
      const params = paramsOf(method, question, uri);
      const answer = await process.request(LSP_METHODS[method], params, { signal });
      return inTermsOf(answer, uri, question.document);
    } finally {
      await process.closeDocument(uri).catch(() => undefined);
    }
  };

  return {
    process,
    subsystem: {
      request: (method, question, { signal }) =>
        marking(async () => {
          const answer = await ask(method as LspMethod, question, signal);
          lastGood.learn(uriOf(question), question.text, question.language);
          return answer;
        }),
      lastGood: (method, question) => {
        const uri = uriOf(question);
        // The current text can be used without the server if it parses.
        lastGood.learn(uri, question.text, question.language);
        const params = paramsOf(method as LspMethod, question, uri);
        const answer = lastGood.answer(LSP_METHODS[method as LspMethod], params);
        return answer === undefined ? undefined : inTermsOf(answer, uri, question.document);
      },
      probe: async ({ signal }) => {
        const question = { text: 'print(1)\n', language: 'core', document: 'probe' };
        await marking(() => ask('diagnostics', question, signal));
      },
    },
    [Symbol.asyncDispose]: () => process.close(),
  };
}

/** The URI under which the last valid text of a document is kept. */
function uriOf({ document, language }: LspQuestion): string {
  return `lastgood:///${language}/${encodeURIComponent(document)}`;
}

function paramsOf(
  method: LspMethod,
  { position, newName }: LspQuestion,
  uri: string,
): Readonly<Record<string, unknown>> {
  return {
    textDocument: { uri },
    ...(position === undefined ? {} : { position }),
    ...(newName === undefined ? {} : { newName }),
    ...(method === 'references' ? { context: { includeDeclaration: true } } : {}),
    ...(method === 'formatting' ? { options: { tabSize: 2, insertSpaces: true } } : {}),
  };
}

/** Replaces the internal document URI in an answer by the name that the client chose. */
function inTermsOf(answer: unknown, uri: string, document: string): unknown {
  if (answer === null || answer === undefined) return null;
  return JSON.parse(
    JSON.stringify(answer).replaceAll(JSON.stringify(uri), JSON.stringify(document)),
  );
}

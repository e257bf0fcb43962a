import { safeText } from '@temper/core/policy';
import { type LspInitialization, LspProcess } from '@temper/parsercraft';
import type { LspSubsystem } from '@temper/parsercraft-handlers';
import type { WorkerPool } from '../workers/pool.ts';
import { LESS_PRIORITY } from '../workers/worker-process.ts';
import { marking } from './error-marks.ts';
import { LastGoodTexts } from './last-good-texts.ts';

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
  /** Answers while the server is away. */
  readonly workers: WorkerPool;
  readonly onExit: (reason: string) => void;
}

/** The source of diagnostics of a text that cannot be parsed. */
const SYNTAX = 'parsercraft syntax';
const REQUEST_TIMEOUT_MS = 10_000;
/** Below the deadline of a request, which then fails with the reason. */
const HANG_MS = 4_000;
/** High, because the demo crashes the server on purpose. */
const RESTARTS_PER_MINUTE = 2_000;

/**
 * Runs the language server as a child process that is restarted, and keeps the last valid texts. No text is
 * parsed in this process: the server says which are valid, and while it is away the workers answer.
 */
export function lspAccess({ initialization, workers, onExit }: LspAccessOptions): LspAccess {
  const process = new LspProcess({
    initialization,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    maxStarts: RESTARTS_PER_MINUTE,
    lessPriority: LESS_PRIORITY,
    heartbeatTimeoutMs: HANG_MS,
    onExit: (error) => onExit(safeText(error.message.split('\n')[0])),
  });
  const lastGood = new LastGoodTexts({ initialization, workers });
  let questions = 0;

  /** Closes the document of a request, after asking whether its text is valid if that is not known. */
  const finish = async (uri: string, question: LspQuestion, answered: boolean): Promise<void> => {
    try {
      const { document, language, text } = question;
      if (!answered || lastGood.has({ document, language, text })) return;
      // The server has analysed the text: it answers at once.
      const report = await process.request(LSP_METHODS.diagnostics, { textDocument: { uri } });
      if (!hasSyntaxErrors(report)) lastGood.keep({ document, language, text });
    } catch {
      // The text is learnt from the next request.
    } finally {
      await process.closeDocument(uri).catch(() => undefined);
    }
  };

  // Each request opens its own document, so that concurrent requests do not interfere.
  const ask = async (method: LspMethod, question: LspQuestion, signal: AbortSignal) => {
    questions += 1;
    const uri = `inmemory:///${questions}`;
    const { text, language: languageId } = question;
    let answered = false;
    try {
      await process.open(uri, text, { languageId, signal });
      const params = paramsOf(method, question, uri);
      const answer = await process.request(LSP_METHODS[method], params, { signal });
      answered = true;
      return inTermsOf(answer, method, uri, question.document);
    } finally {
      void finish(uri, question, answered);
    }
  };

  return {
    process,
    subsystem: {
      request: (method, question, { signal }) =>
        marking(() => ask(method as LspMethod, question, signal)),
      lastGood: async (name, question, client) => {
        const method = name as LspMethod;
        const uri = 'lastgood:///document';
        const params = paramsOf(method, question, uri);
        const { document, language, text } = question;
        const asked = { document, language, text, uri, method: LSP_METHODS[method], params };
        const answer = await lastGood.answer(asked, client);
        return answer === undefined ? undefined : inTermsOf(answer, method, uri, question.document);
      },
      probe: async ({ signal }) => {
        const question = { text: 'print(1)\n', language: 'core', document: 'probe' };
        await marking(() => ask('diagnostics', question, signal));
      },
    },
    [Symbol.asyncDispose]: async () => {
      lastGood[Symbol.dispose]();
      await process.close();
    },
  };
}

function hasSyntaxErrors(report: unknown): boolean {
  const { items } = report as { readonly items: readonly { readonly source: string }[] };
  return items.some(({ source }) => source === SYNTAX);
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

/** The methods whose answers name documents. The others' answers are as long as the text, or longer. */
const NAMES_DOCUMENTS: readonly LspMethod[] = ['definition', 'references', 'rename'];

/** Replaces the internal document URI in an answer by the name that the client chose. */
function inTermsOf(answer: unknown, method: LspMethod, uri: string, document: string): unknown {
  if (answer === null || answer === undefined) return null;
  if (!NAMES_DOCUMENTS.includes(method)) return answer;
  return JSON.parse(
    JSON.stringify(answer).replaceAll(JSON.stringify(uri), JSON.stringify(document)),
  );
}

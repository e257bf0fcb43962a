import { ResponseError } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { answer } from './answers.ts';
import { type LspInitialization, Workspace } from './workspace.ts';

const MAX_DOCUMENTS = 100;

/**
 * Answers as the server would, in this process, from the last text of each document that had no
 * syntax error: what is left when the server cannot be asked.
 */
export class LastGoodAnswers {
  readonly #workspace: Workspace;
  readonly #documents = new Map<string, TextDocument>();
  #version = 0;

  /** @throws {LanguageDefinitionError} when a definition is not valid */
  constructor(initialization: LspInitialization = {}) {
    this.#workspace = new Workspace(initialization);
  }

  /** Takes in a document's text, if it parses. Keeps the hundred documents learnt last. */
  learn(uri: string, text: string, languageId = ''): void {
    this.#version += 1;
    const document = TextDocument.create(uri, languageId, this.#version, text);
    const { main } = this.#workspace.analyseText(document, text);
    if (main.parsed.diagnostics.length > 0) return;
    this.#documents.delete(uri);
    this.#documents.set(uri, document);
    const [oldest] = this.#documents.keys();
    if (this.#documents.size > MAX_DOCUMENTS && oldest !== undefined) this.forget(oldest);
  }

  forget(uri: string): void {
    this.#documents.delete(uri);
    this.#workspace.forget(uri);
  }

  /** The answer to a request of the protocol; `undefined` when nothing good was learnt of it. */
  answer(method: string, params: unknown): unknown {
    try {
      return answer(this.#workspace, (uri) => this.#documents.get(uri), method, params);
    } catch (error) {
      if (error instanceof ResponseError) return undefined;
      throw error;
    }
  }
}

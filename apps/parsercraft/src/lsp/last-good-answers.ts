import { ResponseError } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { answer } from './answers.ts';
import { type LspInitialization, Workspace } from './workspace.ts';

const MAX_DOCUMENTS = 100;

/**
 * Handles requests like the language server, but in this process and from the last version of each
 * document without syntax errors. A fallback for when the server is unavailable.
 */
export class LastGoodAnswers {
  readonly #workspace: Workspace;
  readonly #documents = new Map<string, TextDocument>();
  #version = 0;

  /** @throws {LanguageDefinitionError} when a definition is invalid */
  constructor(initialization: LspInitialization = {}) {
    this.#workspace = new Workspace(initialization);
  }

  /**
   * Stores the text of a document if it has no syntax errors. Keeps the 100 most recent documents.
   *
   * @returns whether it has none
   */
  learn(uri: string, text: string, languageId = ''): boolean {
    this.#version += 1;
    const document = TextDocument.create(uri, languageId, this.#version, text);
    const { main } = this.#workspace.analyseText(document, text);
    if (main.parsed.diagnostics.length > 0) return false;
    this.#documents.delete(uri);
    this.#documents.set(uri, document);
    const [oldest] = this.#documents.keys();
    if (this.#documents.size > MAX_DOCUMENTS && oldest !== undefined) this.forget(oldest);
    return true;
  }

  forget(uri: string): void {
    this.#documents.delete(uri);
    this.#workspace.forget(uri);
  }

  /**
   * The result of a request, or `undefined` when the document is unknown or the request is invalid.
   */
  answer(method: string, params: unknown): unknown {
    try {
      return answer(this.#workspace, (uri) => this.#documents.get(uri), method, params);
    } catch (error) {
      if (error instanceof ResponseError) return undefined;
      throw error;
    }
  }
}

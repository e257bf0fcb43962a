import {
  type Connection,
  ErrorCodes,
  type InitializeResult,
  ResponseError,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { ANSWERED_METHODS, answer, diagnosticsOf } from './answers.ts';
import { Debounced } from './debounced.ts';
import { Lifecycle } from './lifecycle.ts';
import { HEARTBEAT } from './methods.ts';
import { semanticTokensLegend } from './semantic-tokens.ts';
import { type LspInitialization, Workspace } from './workspace.ts';

/** Time without a change after which the diagnostics of a document are pushed, in milliseconds. */
const QUIET_MS = 200;

/** Serves the protocol on a connection until it closes. */
export function serve(connection: Connection): void {
  const documents = new TextDocuments(TextDocument);
  const lifecycle = new Lifecycle();
  const pushes = new Debounced<string>(QUIET_MS);
  let workspace = new Workspace();

  connection.onInitialize(({ initializationOptions }): InitializeResult => {
    lifecycle.initialize();
    try {
      workspace = new Workspace((initializationOptions ?? {}) as LspInitialization);
    } catch (error) {
      lifecycle.failed();
      const message = error instanceof Error ? error.message : String(error);
      throw new ResponseError(ErrorCodes.InvalidParams, message);
    }
    // Notifications before are dropped.
    documents.listen(connection);
    return {
      serverInfo: { name: 'parsercraft-lsp' },
      capabilities: {
        textDocumentSync: TextDocumentSyncKind.Incremental,
        completionProvider: { triggerCharacters: ['.'] },
        hoverProvider: true,
        definitionProvider: true,
        referencesProvider: true,
        documentSymbolProvider: true,
        documentFormattingProvider: true,
        renameProvider: { prepareProvider: true },
        semanticTokensProvider: { legend: semanticTokensLegend, full: true },
        diagnosticProvider: { interFileDependencies: false, workspaceDiagnostics: false },
      },
    };
  });

  connection.onShutdown(() => {
    lifecycle.shutDown();
    pushes.clear();
  });
  documents.onDidChangeContent(({ document: { uri } }) => {
    // While somebody types, each version would be analysed for nobody.
    pushes.schedule(uri, () => {
      const document = documents.get(uri);
      if (document === undefined) return;
      const diagnostics = diagnosticsOf(workspace, document);
      void connection.sendDiagnostics({ uri, version: document.version, diagnostics });
    });
  });
  documents.onDidClose(({ document: { uri } }) => {
    pushes.cancel(uri);
    workspace.forget(uri);
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });
  for (const method of ANSWERED_METHODS) {
    connection.onRequest(method, (params: unknown) => {
      lifecycle.check();
      return answer(workspace, (uri) => documents.get(uri), method, params);
    });
  }
  connection.onRequest(HEARTBEAT, () => null);
  connection.onRequest((method: string) => {
    lifecycle.check();
    throw new ResponseError(ErrorCodes.MethodNotFound, `Unknown method '${method}'.`);
  });

  connection.listen();
}

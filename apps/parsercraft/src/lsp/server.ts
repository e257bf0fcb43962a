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
import { semanticTokensLegend } from './semantic-tokens.ts';
import { type LspInitialization, Workspace } from './workspace.ts';

/** Serves the protocol on a connection until it closes. */
export function serve(connection: Connection): void {
  const documents = new TextDocuments(TextDocument);
  let workspace = new Workspace();

  connection.onInitialize(({ initializationOptions }): InitializeResult => {
    try {
      workspace = new Workspace((initializationOptions ?? {}) as LspInitialization);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new ResponseError(ErrorCodes.InvalidParams, message);
    }
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

  documents.onDidChangeContent(({ document }) => {
    const { uri, version } = document;
    const diagnostics = diagnosticsOf(workspace, document);
    void connection.sendDiagnostics({ uri, version, diagnostics });
  });
  documents.onDidClose(({ document: { uri } }) => {
    workspace.forget(uri);
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });
  for (const method of ANSWERED_METHODS) {
    connection.onRequest(method, (params: unknown) =>
      answer(workspace, (uri) => documents.get(uri), method, params),
    );
  }

  documents.listen(connection);
  connection.listen();
}

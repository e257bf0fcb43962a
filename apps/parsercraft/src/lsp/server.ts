import {
  type Connection,
  DiagnosticSeverity,
  DocumentDiagnosticReportKind,
  ErrorCodes,
  type InitializeResult,
  type Diagnostic as LspDiagnostic,
  type Position,
  ResponseError,
  SymbolKind,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { format } from '../format/format.ts';
import type { Span } from '../source/source.ts';
import { completion } from './completion.ts';
import { rename } from './rename.ts';
import { semanticTokens, semanticTokensLegend } from './semantic-tokens.ts';
import { describe, isOwn, nameAt, placesOf } from './symbols-at.ts';
import { type LspInitialization, Workspace } from './workspace.ts';

/** Serves the protocol on a connection until it ends. */
export function serve(connection: Connection): void {
  const documents = new TextDocuments(TextDocument);
  let workspace = new Workspace();

  const open = (uri: string): TextDocument => {
    const document = documents.get(uri);
    if (document !== undefined) return document;
    throw new ResponseError(ErrorCodes.InvalidParams, `The document '${uri}' is not open.`);
  };
  const at = (uri: string, position: Position) => {
    const document = open(uri);
    const { main } = workspace.analyse(document);
    return { document, main, offset: document.offsetAt(position) };
  };
  const rangeOf = (document: TextDocument, { start, end }: Span) => ({
    start: document.positionAt(start),
    end: document.positionAt(end),
  });
  const diagnosticsOf = (document: TextDocument): LspDiagnostic[] =>
    workspace.analyse(document).diagnostics.map(({ start, end, message, code, source }) => ({
      range: rangeOf(document, { start: start.offset, end: end.offset }),
      severity: DiagnosticSeverity.Error,
      source: `parsercraft ${source}`,
      code,
      message,
    }));

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
    void connection.sendDiagnostics({ uri, version, diagnostics: diagnosticsOf(document) });
  });
  documents.onDidClose(({ document: { uri } }) => {
    workspace.forget(uri);
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });

  connection.languages.diagnostics.on(({ textDocument }) => ({
    kind: DocumentDiagnosticReportKind.Full,
    items: diagnosticsOf(open(textDocument.uri)),
  }));
  connection.languages.semanticTokens.on(({ textDocument }) => {
    const document = open(textDocument.uri);
    return semanticTokens(document, workspace.analyse(document).main);
  });
  connection.onCompletion(({ textDocument, position }) => {
    const { main, offset } = at(textDocument.uri, position);
    return [...completion(main, offset)];
  });
  connection.onHover(({ textDocument, position }) => {
    const { document, main, offset } = at(textDocument.uri, position);
    const place = nameAt(main, offset);
    if (place === undefined) return null;
    const { definition } = main.parsed;
    const value = `\`\`\`${definition.name}\n${describe(place.symbol, definition)}\n\`\`\``;
    return { contents: { kind: 'markdown', value }, range: rangeOf(document, place.name.span) };
  });
  connection.onDefinition(({ textDocument, position }) => {
    const { document, main, offset } = at(textDocument.uri, position);
    const symbol = nameAt(main, offset)?.symbol;
    if (symbol === undefined || !isOwn(main, symbol)) return null;
    return { uri: document.uri, range: rangeOf(document, symbol.declaration.span) };
  });
  connection.onReferences(({ textDocument, position, context }) => {
    const { document, main, offset } = at(textDocument.uri, position);
    const symbol = nameAt(main, offset)?.symbol;
    if (symbol === undefined) return null;
    return placesOf(main, symbol)
      .filter(
        (name) =>
          context.includeDeclaration || symbol.kind === 'builtin' || name !== symbol.declaration,
      )
      .map(({ span }) => ({ uri: document.uri, range: rangeOf(document, span) }));
  });
  connection.onDocumentSymbol(({ textDocument }) => {
    const document = open(textDocument.uri);
    const { main } = workspace.analyse(document);
    return [...main.functions.values()].map(({ name, node, declaration }) => ({
      name,
      kind: SymbolKind.Function,
      range: rangeOf(document, node.span),
      selectionRange: rangeOf(document, declaration.span),
    }));
  });
  connection.onPrepareRename(({ textDocument, position }) => {
    const { document, main, offset } = at(textDocument.uri, position);
    const place = nameAt(main, offset);
    if (place === undefined || !isOwn(main, place.symbol)) return null;
    return { range: rangeOf(document, place.name.span), placeholder: place.name.text };
  });
  connection.onRenameRequest(({ textDocument, position, newName }) => {
    const document = open(textDocument.uri);
    const edits = rename(workspace, document, document.offsetAt(position), newName);
    return { changes: { [document.uri]: [...edits] } };
  });
  connection.onDocumentFormatting(({ textDocument }) => {
    const document = open(textDocument.uri);
    const text = document.getText();
    // Half a program has no layout; its diagnostics say why.
    if (workspace.analyse(document).main.parsed.diagnostics.length > 0) return null;
    const formatted = format(workspace.definitionOf(document), text);
    if (formatted === text) return [];
    return [{ range: rangeOf(document, { start: 0, end: text.length }), newText: formatted }];
  });

  documents.listen(connection);
  connection.listen();
}

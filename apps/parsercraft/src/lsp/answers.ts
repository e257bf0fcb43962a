import {
  type CompletionParams,
  DiagnosticSeverity,
  DocumentDiagnosticReportKind,
  ErrorCodes,
  type HoverParams,
  type Diagnostic as LspDiagnostic,
  type Position,
  type Range,
  type ReferenceParams,
  type RenameParams,
  ResponseError,
  SymbolKind,
  type TextDocumentPositionParams,
} from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { format } from '../format/format.ts';
import type { Span } from '../source/source.ts';
import type { CheckedModule } from '../types/module.ts';
import { completion } from './completion.ts';
import { rename } from './rename.ts';
import { semanticTokens } from './semantic-tokens.ts';
import { describe, isOwn, nameAt, placesOf } from './symbols-at.ts';
import type { Workspace } from './workspace.ts';

/** Handles one protocol method for one document. */
type Answer<Params> = (workspace: Workspace, document: TextDocument, params: Params) => unknown;

function rangeOf(document: TextDocument, { start, end }: Span): Range {
  return { start: document.positionAt(start), end: document.positionAt(end) };
}

function at(
  workspace: Workspace,
  document: TextDocument,
  { position }: { readonly position: Position },
): { readonly main: CheckedModule; readonly offset: number } {
  return { main: workspace.analyse(document).main, offset: document.offsetAt(position) };
}

/** The diagnostics of a document, in the form of the protocol. */
export function diagnosticsOf(workspace: Workspace, document: TextDocument): LspDiagnostic[] {
  return workspace.analyse(document).diagnostics.map(({ start, end, message, code, source }) => ({
    range: rangeOf(document, { start: start.offset, end: end.offset }),
    severity: DiagnosticSeverity.Error,
    source: `parsercraft ${source}`,
    code,
    message,
  }));
}

const diagnostic: Answer<unknown> = (workspace, document) => ({
  kind: DocumentDiagnosticReportKind.Full,
  items: diagnosticsOf(workspace, document),
});

const complete: Answer<CompletionParams> = (workspace, document, params) => {
  const { main, offset } = at(workspace, document, params);
  return completion(main, offset);
};

const hover: Answer<HoverParams> = (workspace, document, params) => {
  const { main, offset } = at(workspace, document, params);
  const place = nameAt(main, offset);
  if (place === undefined) return null;
  const { definition } = main.parsed;
  const value = `\`\`\`${definition.name}\n${describe(place.symbol, definition)}\n\`\`\``;
  return { contents: { kind: 'markdown', value }, range: rangeOf(document, place.name.span) };
};

const definition: Answer<TextDocumentPositionParams> = (workspace, document, params) => {
  const { main, offset } = at(workspace, document, params);
  const symbol = nameAt(main, offset)?.symbol;
  if (symbol === undefined || !isOwn(main, symbol)) return null;
  return { uri: document.uri, range: rangeOf(document, symbol.declaration.span) };
};

const references: Answer<ReferenceParams> = (workspace, document, params) => {
  const { main, offset } = at(workspace, document, params);
  const symbol = nameAt(main, offset)?.symbol;
  if (symbol === undefined) return null;
  const declaration = symbol.kind === 'builtin' ? undefined : symbol.declaration;
  return placesOf(main, symbol)
    .filter((name) => params.context.includeDeclaration || name !== declaration)
    .map(({ span }) => ({ uri: document.uri, range: rangeOf(document, span) }));
};

const documentSymbol: Answer<unknown> = (workspace, document) => {
  const { main } = workspace.analyse(document);
  return [...main.functions.values()].map(({ name, node, declaration }) => ({
    name,
    kind: SymbolKind.Function,
    range: rangeOf(document, node.span),
    selectionRange: rangeOf(document, declaration.span),
  }));
};

const prepareRename: Answer<TextDocumentPositionParams> = (workspace, document, params) => {
  const { main, offset } = at(workspace, document, params);
  const place = nameAt(main, offset);
  if (place === undefined || !isOwn(main, place.symbol)) return null;
  return { range: rangeOf(document, place.name.span), placeholder: place.name.text };
};

const renameSymbol: Answer<RenameParams> = (workspace, document, { position, newName }) => {
  const edits = rename(workspace, document, document.offsetAt(position), newName);
  return { changes: { [document.uri]: edits } };
};

const formatting: Answer<unknown> = (workspace, document) => {
  const text = document.getText();
  // A document with syntax errors cannot be formatted.
  if (workspace.analyse(document).main.parsed.diagnostics.length > 0) return null;
  const formatted = format(workspace.definitionOf(document), text);
  if (formatted === text) return [];
  return [{ range: rangeOf(document, { start: 0, end: text.length }), newText: formatted }];
};

const colours: Answer<unknown> = (workspace, document) =>
  semanticTokens(document, workspace.analyse(document).main);

const ANSWERS: ReadonlyMap<string, Answer<never>> = new Map<string, Answer<never>>([
  ['textDocument/diagnostic', diagnostic],
  ['textDocument/completion', complete],
  ['textDocument/hover', hover],
  ['textDocument/definition', definition],
  ['textDocument/references', references],
  ['textDocument/documentSymbol', documentSymbol],
  ['textDocument/prepareRename', prepareRename],
  ['textDocument/rename', renameSymbol],
  ['textDocument/formatting', formatting],
  ['textDocument/semanticTokens/full', colours],
]);

/** The supported methods. */
export const ANSWERED_METHODS: readonly string[] = [...ANSWERS.keys()];

/**
 * Handles a request for the document named in its parameters.
 *
 * @param documentOf - looks up an open document
 * @throws {ResponseError} when the method is unknown, the document is not open, or a required
 *   position is missing
 */
export function answer(
  workspace: Workspace,
  documentOf: (uri: string) => TextDocument | undefined,
  method: string,
  params: unknown,
): unknown {
  const found = ANSWERS.get(method);
  if (found === undefined) {
    throw new ResponseError(ErrorCodes.MethodNotFound, `Unknown method '${method}'.`);
  }
  const uri = uriOf(params);
  const document = uri === undefined ? undefined : documentOf(uri);
  if (document === undefined) {
    throw new ResponseError(ErrorCodes.InvalidParams, `The document '${uri}' is not open.`);
  }
  if (needsPosition(method) && !hasPosition(params)) {
    throw new ResponseError(ErrorCodes.InvalidParams, `${method} requires a position.`);
  }
  return (found as Answer<unknown>)(workspace, document, params);
}

function uriOf(params: unknown): string | undefined {
  const uri = (params as { textDocument?: { uri?: unknown } } | null | undefined)?.textDocument
    ?.uri;
  return typeof uri === 'string' ? uri : undefined;
}

function needsPosition(method: string): boolean {
  return /completion|hover|definition|references|ename$/.test(method);
}

function hasPosition(params: unknown): boolean {
  const { position } = params as { position?: { line?: unknown; character?: unknown } };
  return typeof position?.line === 'number' && typeof position.character === 'number';
}

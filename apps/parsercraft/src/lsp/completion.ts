import { type CompletionItem, CompletionItemKind } from 'vscode-languageserver';
import type { CheckedModule } from '../types/module.ts';
import type { AnySymbol } from '../types/symbols.ts';
import { describe, importBefore, visibleAt } from './symbols-at.ts';

/**
 * Completion items: the functions of a package after its dot, else visible names and keywords.
 */
export function completion(module: CheckedModule, offset: number): readonly CompletionItem[] {
  const { parsed } = module;
  const { definition } = parsed;
  const item = (symbol: AnySymbol): CompletionItem => ({
    label: symbol.name,
    kind:
      symbol.kind === 'function' || symbol.kind === 'builtin'
        ? CompletionItemKind.Function
        : CompletionItemKind.Variable,
    detail: describe(symbol, definition),
  });
  const line = parsed.text.slice(0, offset).split('\n').at(-1) ?? '';
  const found = importBefore(module, line);
  if (found !== undefined) return [...found.module.functions.values()].map(item);
  return [
    ...visibleAt(module, offset).map(item),
    ...[...module.imports.keys()].map((label) => ({ label, kind: CompletionItemKind.Module })),
    ...Object.values(definition.keywords).map((label) => ({
      label,
      kind: CompletionItemKind.Keyword,
    })),
    ...Object.values(definition.types).map((label) => ({
      label,
      kind: CompletionItemKind.TypeParameter,
    })),
  ];
}

import type { LanguageDefinition } from '../lang/definition.ts';
import type { Name } from '../parse/ast.ts';
import type { CheckedModule, Import } from '../types/module.ts';
import type { AnySymbol, DeclaredSymbol } from '../types/symbols.ts';
import { typeText } from '../types/type.ts';

/** A name in the text and the symbol it refers to. */
interface NamedPlace {
  readonly name: Name;
  readonly symbol: AnySymbol;
}

/** The name at an offset, or the name that ends at it, as at a cursor. */
export function nameAt(module: CheckedModule, offset: number): NamedPlace | undefined {
  for (const [name, symbol] of module.meanings) {
    if (offset >= name.span.start && offset <= name.span.end && name.text !== '') {
      return { name, symbol };
    }
  }
  return undefined;
}

/** Every occurrence of a symbol in the text, including its declaration, in order. */
export function placesOf(module: CheckedModule, symbol: AnySymbol): readonly Name[] {
  return [...module.meanings]
    .filter(([, meaning]) => meaning === symbol)
    .map(([name]) => name)
    .sort((a, b) => a.span.start - b.span.start);
}

/** Whether a symbol is declared in the text itself, not in a package or the language. */
export function isOwn(module: CheckedModule, symbol: AnySymbol): symbol is DeclaredSymbol {
  return symbol.kind !== 'builtin' && module.symbols.includes(symbol);
}

/** The symbols visible at an offset, innermost scope first. */
export function visibleAt(module: CheckedModule, offset: number): readonly AnySymbol[] {
  const around = module.scopes.filter(({ span }) => offset >= span.start && offset <= span.end);
  const innermost = around.reduce<(typeof around)[number] | undefined>((best, one) => {
    if (best === undefined) return one;
    return one.span.end - one.span.start <= best.span.end - best.span.start ? one : best;
  }, undefined);
  const symbols = innermost?.scope.visible() ?? [];
  // A variable is visible only after its declaration.
  return symbols.filter(
    (symbol) => symbol.kind !== 'variable' || symbol.declaration.span.end < offset,
  );
}

/** The signature of a symbol, in the form of a declaration. */
export function describe(symbol: AnySymbol, definition: LanguageDefinition): string {
  const { keywords } = definition;
  switch (symbol.kind) {
    case 'builtin': {
      const { min, max } = symbol.builtin.arity;
      const list = Array.from({ length: min }, (_, index) => `value${index + 1}`);
      if (max > min) list.push('…');
      return `${symbol.name}(${list.join(', ')})`;
    }
    case 'function': {
      const type = typeText(symbol.type, definition);
      return type.replace(keywords.function, `${keywords.function} ${symbol.name}`);
    }
    default:
      return `${symbol.name}: ${typeText(symbol.type, definition)}`;
  }
}

const WORD_START = /^[\p{ID_Start}_]/u;
const WORD_PART = /^\p{ID_Continue}$/u;

/** Where the word that ends at `end` begins. */
function wordStart(text: string, end: number): number {
  let at = end;
  while (at > 0) {
    // A code point outside the basic plane is two units.
    const before = at > 1 && text.codePointAt(at - 2)! > 0xffff ? at - 2 : at - 1;
    if (!WORD_PART.test(text.slice(before, at))) break;
    at = before;
  }
  return at;
}

/**
 * The import that the text before the cursor refers to, as in `math.`. Reads the two words before the
 * cursor and no more: an expression that is tried at every place of the text would take the square of its
 * length.
 */
export function importBefore(module: CheckedModule, before: string): Import | undefined {
  const dot = wordStart(before, before.length) - 1;
  if (before[dot] !== '.') return undefined;
  const alias = before.slice(wordStart(before, dot), dot);
  if (!WORD_START.test(alias)) return undefined;
  return module.imports.get(alias.normalize('NFC'));
}

import type { LanguageDefinition } from '../lang/definition.ts';
import type { TypeName } from '../lang/vocabulary.ts';

export interface PlainType {
  /** `void` is what a function gives that gives nothing; `unknown` stands where a fault is. */
  readonly kind: TypeName | 'void' | 'unknown';
}

export interface FunctionType {
  readonly kind: 'function';
  readonly parameters: readonly Type[];
  readonly result: Type;
}

/** A type that inference has yet to find. None is left in a finished program. */
export interface TypeVariable {
  readonly kind: 'variable';
  /** What it turned out to be. */
  link: Type | undefined;
  /** The only types it may become; anything when `undefined`. */
  allowed: readonly TypeName[] | undefined;
  /** Whether nothing needs its value, so that it may become `void`. */
  mayBeVoid: boolean;
}

export type Type = PlainType | FunctionType | TypeVariable;

export const INT: PlainType = { kind: 'int' };
export const FLOAT: PlainType = { kind: 'float' };
export const BOOL: PlainType = { kind: 'bool' };
export const STRING: PlainType = { kind: 'string' };
export const VOID: PlainType = { kind: 'void' };
export const UNKNOWN: PlainType = { kind: 'unknown' };

export const PLAIN: Readonly<Record<TypeName, PlainType>> = {
  int: INT,
  float: FLOAT,
  bool: BOOL,
  string: STRING,
};

export function typeVariable(
  allowed?: readonly TypeName[],
  { mayBeVoid = false }: { readonly mayBeVoid?: boolean } = {},
): TypeVariable {
  return { kind: 'variable', link: undefined, allowed, mayBeVoid };
}

/** The type that a chain of found variables leads to. */
export function resolve(type: Type): Type {
  let at = type;
  while (at.kind === 'variable' && at.link !== undefined) at = at.link;
  return at;
}

const LONGEST_TEXT = 200;

/** A type in a definition's words. A type may share parts many times over, so the text is cut. */
export function typeText(type: Type, definition: LanguageDefinition): string {
  let budget = LONGEST_TEXT;
  const write = (part: Type): string => {
    budget -= 1;
    if (budget < 0) return '…';
    const found = resolve(part);
    if (found.kind === 'function') {
      const list = found.parameters.map(write).join(', ');
      const result = resolve(found.result).kind === 'void' ? '' : `: ${write(found.result)}`;
      return `${definition.keywords.function}(${list})${result}`;
    }
    if (found.kind === 'variable') return allowedText(found.allowed, definition);
    if (found.kind === 'void') return 'nothing';
    if (found.kind === 'unknown') return '?';
    return definition.types[found.kind];
  };
  const text = write(type);
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

export function allowedText(
  allowed: readonly TypeName[] | undefined,
  definition: LanguageDefinition,
): string {
  return allowed === undefined ? '?' : allowed.map((name) => definition.types[name]).join(' or ');
}

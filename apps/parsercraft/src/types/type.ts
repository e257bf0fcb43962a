import type { LanguageDefinition } from '../lang/definition.ts';
import type { TypeName } from '../lang/vocabulary.ts';

export interface PlainType {
  /**
   * `void` is the result of a function that returns nothing; `unknown` replaces a type in error.
   */
  readonly kind: TypeName | 'void' | 'unknown';
}

export interface FunctionType {
  readonly kind: 'function';
  readonly parameters: readonly Type[];
  readonly result: Type;
}

/** A type variable. A checked program without errors has none left. */
export interface TypeVariable {
  readonly kind: 'variable';
  /** The type it is bound to. */
  link: Type | undefined;
  /** The types it may be bound to; any type when `undefined`. */
  allowed: readonly TypeName[] | undefined;
  /** Whether it may be bound to `void`, because its value is unused. */
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

/** Follows a chain of bound type variables. */
export function resolve(type: Type): Type {
  let at = type;
  while (at.kind === 'variable' && at.link !== undefined) at = at.link;
  return at;
}

const LONGEST_TEXT = 200;

/**
 * Prints a type in the spelling of a definition. The length is limited, because shared parts can
 * make the text exponentially long.
 */
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
    if (found.kind === 'void') return 'no value';
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
  if (allowed === undefined) return '?';
  const names = allowed.map((name) => definition.types[name]);
  const last = names.pop() ?? '?';
  return names.length === 0 ? last : `${names.join(', ')} or ${last}`;
}

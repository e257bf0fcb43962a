/**
 * A type written as text: `int`, `float`, `bool`, `string`, `void`, `any`, the name of a
 * protocol, or a function such as `fn(int, Reader): bool`.
 */
export type TypeExpression = string;

export interface MethodDefinition {
  readonly parameters: readonly TypeExpression[];
  /** @defaultValue 'void' */
  readonly result?: TypeExpression;
  /** Whether a type without the method conforms all the same. @defaultValue false */
  readonly optional?: boolean;
}

export interface PropertyDefinition {
  readonly type: TypeExpression;
  /** Whether it is only read: then a subtype will do, else the type must be the same. @defaultValue false */
  readonly readonly?: boolean;
  /** @defaultValue false */
  readonly optional?: boolean;
}

/** The members of a type. */
export interface Structure {
  readonly methods?: Readonly<Record<string, MethodDefinition>>;
  readonly properties?: Readonly<Record<string, PropertyDefinition>>;
}

/** What a type must have to be used as one of this name. Conformance is by structure alone. */
export interface ProtocolDefinition extends Structure {
  readonly name: string;
  /** Protocols whose members this one has too. @defaultValue none */
  readonly extends?: readonly string[];
}

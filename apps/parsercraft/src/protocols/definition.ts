/**
 * A type expression: `int`, `float`, `bool`, `string`, `void`, `any`, the name of a
 * protocol, or a function such as `fn(int, Reader): bool`.
 */
export type TypeExpression = string;

export interface MethodDefinition {
  readonly parameters: readonly TypeExpression[];
  /** @defaultValue 'void' */
  readonly result?: TypeExpression;
  /** Whether a type conforms without the method. @defaultValue false */
  readonly optional?: boolean;
}

interface PropertyDefinition {
  readonly type: TypeExpression;
  /**
   * Whether it is read-only. A read-only property may have a subtype; otherwise the types must
   * match.
   *
   * @defaultValue false
   */
  readonly readonly?: boolean;
  /** @defaultValue false */
  readonly optional?: boolean;
}

/** The members of a type. */
export interface Structure {
  readonly methods?: Readonly<Record<string, MethodDefinition>>;
  readonly properties?: Readonly<Record<string, PropertyDefinition>>;
}

/** The members that a type must have. Conformance is structural. */
export interface ProtocolDefinition extends Structure {
  readonly name: string;
  /** Protocols whose members this one inherits. @defaultValue none */
  readonly extends?: readonly string[];
}

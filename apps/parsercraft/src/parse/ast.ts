import type { BinaryMeaning, PrefixMeaning, TypeName } from '../lang/vocabulary.ts';
import type { Span } from '../source/source.ts';

/*
 * The tree contains meanings and not spellings, so equivalent programs in different languages have
 * the same tree. Every node has a span. `Error…` nodes mark text that error recovery skipped.
 */

/** An occurrence of a name, in Unicode NFC. */
export interface Name {
  readonly kind: 'Name';
  readonly text: string;
  readonly span: Span;
}

interface NamedType {
  readonly kind: 'NamedType';
  /** `undefined` when the definition has no type with this name. */
  readonly type: TypeName | undefined;
  readonly text: string;
  readonly span: Span;
}

interface FunctionTypeNode {
  readonly kind: 'FunctionTypeNode';
  readonly parameters: readonly TypeNode[];
  /** `undefined` for a function that returns nothing. */
  readonly result: TypeNode | undefined;
  readonly span: Span;
}

export type TypeNode = NamedType | FunctionTypeNode;

interface IntLiteral {
  readonly kind: 'IntLiteral';
  readonly value: bigint;
  readonly span: Span;
}
interface FloatLiteral {
  readonly kind: 'FloatLiteral';
  readonly value: number;
  readonly span: Span;
}
interface BoolLiteral {
  readonly kind: 'BoolLiteral';
  readonly value: boolean;
  readonly span: Span;
}
interface StringLiteral {
  readonly kind: 'StringLiteral';
  readonly value: string;
  readonly span: Span;
}
export interface NameExpression {
  readonly kind: 'NameExpression';
  readonly name: Name;
  readonly span: Span;
}
/** A function of an imported package, `math.gcd`. */
export interface MemberExpression {
  readonly kind: 'MemberExpression';
  readonly module: Name;
  readonly member: Name;
  readonly span: Span;
}
interface PrefixExpression {
  readonly kind: 'PrefixExpression';
  readonly operator: PrefixMeaning;
  readonly operand: Expression;
  readonly span: Span;
}
export interface BinaryExpression {
  readonly kind: 'BinaryExpression';
  readonly operator: BinaryMeaning;
  readonly left: Expression;
  readonly right: Expression;
  readonly span: Span;
  /** Span of the operator token; runtime errors point to it. */
  readonly operatorSpan: Span;
}
export interface CallExpression {
  readonly kind: 'CallExpression';
  readonly callee: Expression;
  readonly arguments: readonly Expression[];
  readonly span: Span;
}
export interface FunctionExpression {
  readonly kind: 'FunctionExpression';
  readonly parameters: readonly Parameter[];
  readonly result: TypeNode | undefined;
  readonly body: Block;
  readonly span: Span;
}
interface ErrorExpression {
  readonly kind: 'ErrorExpression';
  readonly span: Span;
}

export type Expression =
  | IntLiteral
  | FloatLiteral
  | BoolLiteral
  | StringLiteral
  | NameExpression
  | MemberExpression
  | PrefixExpression
  | BinaryExpression
  | CallExpression
  | FunctionExpression
  | ErrorExpression;

export interface Parameter {
  readonly kind: 'Parameter';
  readonly name: Name;
  readonly annotation: TypeNode | undefined;
  readonly span: Span;
}

export interface Block {
  readonly kind: 'Block';
  readonly statements: readonly Statement[];
  readonly span: Span;
}

interface LetStatement {
  readonly kind: 'LetStatement';
  readonly name: Name;
  readonly annotation: TypeNode | undefined;
  readonly value: Expression;
  readonly span: Span;
}
interface AssignStatement {
  readonly kind: 'AssignStatement';
  readonly target: Name;
  readonly value: Expression;
  readonly span: Span;
}
interface CallStatement {
  readonly kind: 'CallStatement';
  readonly call: Expression;
  readonly span: Span;
}
export interface IfBranch {
  readonly condition: Expression;
  readonly body: Block;
}
interface IfStatement {
  readonly kind: 'IfStatement';
  /** The `if` and each `else if`, in order. A flat list, so a long chain does not nest. */
  readonly branches: readonly IfBranch[];
  readonly otherwise: Block | undefined;
  readonly span: Span;
}
interface WhileStatement {
  readonly kind: 'WhileStatement';
  readonly condition: Expression;
  readonly body: Block;
  readonly span: Span;
}
interface ForStatement {
  readonly kind: 'ForStatement';
  readonly variable: Name;
  readonly from: Expression;
  /** The last value, inclusive. */
  readonly to: Expression;
  readonly body: Block;
  readonly span: Span;
}
interface BreakStatement {
  readonly kind: 'BreakStatement';
  readonly span: Span;
}
interface ContinueStatement {
  readonly kind: 'ContinueStatement';
  readonly span: Span;
}
interface ReturnStatement {
  readonly kind: 'ReturnStatement';
  readonly value: Expression | undefined;
  readonly span: Span;
}
interface ErrorStatement {
  readonly kind: 'ErrorStatement';
  readonly span: Span;
}

export type Statement =
  | LetStatement
  | AssignStatement
  | CallStatement
  | IfStatement
  | WhileStatement
  | ForStatement
  | BreakStatement
  | ContinueStatement
  | ReturnStatement
  | ErrorStatement;

export interface UseDeclaration {
  readonly kind: 'UseDeclaration';
  /** The package name, for example `std.math`. */
  readonly packageName: string;
  readonly packageSpan: Span;
  /** The name after `as`; without it, the last part of the package name is used. */
  readonly alias: Name | undefined;
  readonly span: Span;
}

export interface FunctionDeclaration {
  readonly kind: 'FunctionDeclaration';
  readonly name: Name;
  readonly parameters: readonly Parameter[];
  readonly result: TypeNode | undefined;
  readonly body: Block;
  readonly span: Span;
}

export type TopLevel = UseDeclaration | FunctionDeclaration | Statement;

export interface Program {
  readonly kind: 'Program';
  readonly body: readonly TopLevel[];
  readonly span: Span;
}

export interface Comment {
  /** The comment including its marks, without the line terminator. */
  readonly text: string;
  readonly span: Span;
}

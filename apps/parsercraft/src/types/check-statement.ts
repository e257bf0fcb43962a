import type {
  Block,
  Expression,
  FunctionDeclaration,
  FunctionExpression,
  Name,
  Parameter,
  Statement,
  TypeNode,
} from '../parse/ast.ts';
import { ExpressionChecker } from './check-expression.ts';
import type { Inference } from './inference.ts';
import { alwaysReturns, returnsValue } from './returns.ts';
import type { FunctionScope, Scope } from './symbols.ts';
import { BOOL, type FunctionType, INT, type Type, typeVariable, VOID } from './type.ts';

/** Checks statements and function bodies. */
export class StatementChecker {
  readonly #inference: Inference;
  readonly #expressions: ExpressionChecker;

  constructor(inference: Inference, mainNames: ReadonlySet<string>) {
    this.#inference = inference;
    this.#expressions = new ExpressionChecker(
      inference,
      (node, scope) => {
        const type = this.signature(node.parameters, node.result, node.body);
        this.functionBody(node, type, scope);
        return type;
      },
      mainNames,
    );
  }

  /** The type of a function from its annotations, with type variables for the rest. */
  signature(
    parameters: readonly Parameter[],
    result: TypeNode | undefined,
    body: Block,
  ): FunctionType {
    return {
      kind: 'function',
      parameters: parameters.map(({ annotation }) =>
        annotation === undefined ? typeVariable() : this.#inference.written(annotation),
      ),
      result:
        result === undefined
          ? returnsValue(body)
            ? typeVariable()
            : VOID
          : this.#inference.written(result),
    };
  }

  functionBody(
    node: FunctionDeclaration | FunctionExpression,
    type: FunctionType,
    outside: Scope,
  ): void {
    const parent = node.kind === 'FunctionExpression' ? outside.owner : undefined;
    const owner: FunctionScope = { parent, result: type.result };
    const scope = outside.block({ owner, inLoop: false });
    node.parameters.forEach(({ name }, index) => {
      this.#inference.declareVariable(scope, 'parameter', name, type.parameters[index] as Type);
    });
    this.block(node.body, scope);
    if (type.result !== VOID && !alwaysReturns(node.body)) {
      const span = node.kind === 'FunctionDeclaration' ? node.name.span : node.span;
      const message = 'not every code path of this function returns a value';
      this.#inference.report(span, 'missing-return', message);
    }
  }

  block(block: Block, scope: Scope): void {
    this.#inference.scopes.push({ span: block.span, scope });
    for (const statement of block.statements) this.statement(statement, scope);
  }

  statement(statement: Statement, scope: Scope): void {
    const inference = this.#inference;
    switch (statement.kind) {
      case 'LetStatement':
        this.#let(statement.name, statement.annotation, statement.value, scope);
        break;
      case 'AssignStatement':
        this.#assign(statement.target, statement.value, scope);
        break;
      case 'CallStatement':
        this.#expressions.statement(statement.call, scope);
        break;
      case 'IfStatement':
        for (const { condition, body } of statement.branches) {
          this.#condition(condition, scope);
          this.block(body, scope.block());
        }
        if (statement.otherwise !== undefined) this.block(statement.otherwise, scope.block());
        break;
      case 'WhileStatement':
        this.#condition(statement.condition, scope);
        this.block(statement.body, scope.block({ inLoop: true }));
        break;
      case 'ForStatement': {
        for (const end of [statement.from, statement.to]) {
          inference.expect(end.span, INT, this.#expressions.value(end, scope));
        }
        const inside = scope.block({ inLoop: true });
        inference.declareVariable(inside, 'loop variable', statement.variable, INT);
        this.block(statement.body, inside);
        break;
      }
      case 'BreakStatement':
      case 'ContinueStatement':
        if (!scope.inLoop) {
          const word = statement.kind === 'BreakStatement' ? 'break' : 'continue';
          const message = `'${inference.definition.keywords[word]}' is outside a loop`;
          inference.report(statement.span, 'outside-loop', message);
        }
        break;
      case 'ReturnStatement':
        this.#return(statement.value, statement.span, scope);
        break;
      case 'ErrorStatement':
        break;
    }
  }

  #condition(node: Expression, scope: Scope): void {
    this.#inference.expect(node.span, BOOL, this.#expressions.value(node, scope));
  }

  #let(name: Name, annotation: TypeNode | undefined, value: Expression, scope: Scope): void {
    const found = this.#expressions.value(value, scope);
    const type = annotation === undefined ? found : this.#inference.written(annotation);
    if (annotation !== undefined) this.#inference.expect(value.span, type, found);
    this.#inference.declareVariable(scope, 'variable', name, type);
  }

  #assign(target: Name, value: Expression, scope: Scope): void {
    const inference = this.#inference;
    const found = this.#expressions.value(value, scope);
    const node: Expression = { kind: 'NameExpression', name: target, span: target.span };
    const symbol = scope.find(target.text);
    if (
      symbol?.kind === 'function' ||
      symbol?.kind === 'builtin' ||
      symbol?.kind === 'loop variable'
    ) {
      inference.meanings.set(target, symbol);
      const message = `'${target.text}' is a ${symbol.kind === 'builtin' ? 'built-in function' : symbol.kind} and cannot be assigned to`;
      inference.report(target.span, 'not-assignable', message);
      return;
    }
    const wanted = this.#expressions.value(node, scope);
    inference.expect(value.span, wanted, found);
  }

  #return(value: Expression | undefined, span: Statement['span'], scope: Scope): void {
    const inference = this.#inference;
    const { result } = scope.owner;
    const found = value === undefined ? undefined : this.#expressions.value(value, scope);
    if (result === undefined) {
      const message = `'${inference.definition.keywords.return}' is outside a function`;
      inference.report(span, 'outside-function', message);
    } else if (found === undefined) {
      if (result !== VOID) {
        const message = `expected a return value of type ${inference.text(result)}`;
        inference.report(span, 'missing-value', message);
      }
    } else if (result === VOID && value !== undefined) {
      inference.report(value.span, 'type-mismatch', 'this function does not return a value');
    } else if (value !== undefined) {
      inference.expect(value.span, result, found);
    }
  }
}

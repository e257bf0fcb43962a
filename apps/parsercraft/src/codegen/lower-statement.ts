import type { Block, Expression, Name, Statement } from '../parse/ast.ts';
import type { CheckedModule } from '../types/module.ts';
import type { VariableSymbol } from '../types/symbols.ts';
import { cDeclaration } from './c-text.ts';
import { type CNames, ExpressionLowering } from './lower-expression.ts';

/** Lowers the statements of a function body, or of the main program, to C. */
export class StatementLowering {
  readonly #module: CheckedModule;
  readonly #names: CNames;
  readonly #read: ReadonlySet<VariableSymbol>;
  /** The statement to emit before each `return`; `undefined` in the main program. */
  readonly #leave: string | undefined;

  /** @param read - the variables that are read; C compilers warn about unused variables */
  constructor(
    module: CheckedModule,
    names: CNames,
    read: ReadonlySet<VariableSymbol>,
    leave: string | undefined,
  ) {
    this.#module = module;
    this.#names = names;
    this.#read = read;
    this.#leave = leave;
  }

  /** The C lines of a list of statements, without indentation. */
  lines(statements: readonly Statement[]): string[] {
    const out: string[] = [];
    for (const statement of statements) this.#statement(statement, out);
    return out;
  }

  #statement(statement: Statement, out: string[]): void {
    const lowering = new ExpressionLowering(this.#module, this.#names, out);
    switch (statement.kind) {
      case 'LetStatement':
        lowering.typeOf(statement.value);
        this.#declare(statement.name, lowering.expression(statement.value).text, lowering);
        break;
      case 'AssignStatement': {
        const { text } = lowering.expression(statement.value);
        const target = this.#names.variable(this.#variable(statement.target, lowering));
        // Compilers warn about an assignment to itself.
        out.push(text === target ? `(void)${target};` : `${target} = ${text};`);
        break;
      }
      case 'CallStatement': {
        const { text, type } = lowering.expression(statement.call);
        out.push(type === 'void' ? `${text};` : `(void)${text};`);
        break;
      }
      case 'IfStatement':
        this.#if(statement.branches, statement.otherwise, out);
        break;
      case 'WhileStatement':
        this.#while(statement.condition, statement.body, out);
        break;
      case 'ForStatement': {
        const at = this.#names.temporary();
        const last = this.#names.temporary();
        const go = this.#names.temporary();
        out.push('{');
        const [from, to] = lowering.operands([statement.from, statement.to]);
        out.push(`int64_t ${at} = ${from?.text};`, `int64_t ${last} = ${to?.text};`);
        out.push(`for (bool ${go} = ${at} <= ${last}; ${go}; ${go} = pc_next(&${at}, ${last})) {`);
        this.#declare(statement.variable, at, lowering);
        out.push(...this.lines(statement.body.statements), '}', '}');
        break;
      }
      case 'BreakStatement':
        out.push('break;');
        break;
      case 'ContinueStatement':
        out.push('continue;');
        break;
      case 'ReturnStatement':
        this.#return(statement.value, lowering);
        break;
      case 'ErrorStatement':
        throw new TypeError('A program with syntax errors cannot be compiled to C.');
    }
  }

  #declare(name: Name, value: string, lowering: ExpressionLowering): void {
    const symbol = this.#variable(name, lowering);
    const { kind } = symbol.type;
    if (kind === 'function' || kind === 'variable' || kind === 'unknown') {
      lowering.unsupported('a function-valued variable', name.span.start);
    }
    const variable = this.#names.variable(symbol);
    lowering.out.push(`${cDeclaration(kind, variable)} = ${value};`);
    if (!this.#read.has(symbol)) lowering.out.push(`(void)${variable};`);
  }

  #if(
    branches: readonly { readonly condition: Expression; readonly body: Block }[],
    otherwise: Block | undefined,
    out: string[],
  ): void {
    let open = 0;
    branches.forEach(({ condition, body }, index) => {
      const before: string[] = [];
      const { text } = new ExpressionLowering(this.#module, this.#names, before).expression(
        condition,
      );
      // Statements for a later condition must run only after the earlier conditions were false.
      if (index > 0 && before.length > 0) {
        out.push('} else {', ...before, `if (${text}) {`);
        open += 1;
      } else if (index > 0) out.push(`} else if (${text}) {`);
      else out.push(...before, `if (${text}) {`);
      out.push(...this.lines(body.statements));
    });
    if (otherwise !== undefined) out.push('} else {', ...this.lines(otherwise.statements));
    out.push(...Array.from({ length: open + 1 }, () => '}'));
  }

  #while(condition: Expression, body: Block, out: string[]): void {
    const before: string[] = [];
    const { text } = new ExpressionLowering(this.#module, this.#names, before).expression(
      condition,
    );
    if (before.length === 0) out.push(`while (${text}) {`);
    else out.push('for (;;) {', ...before, `if (!${text}) break;`);
    out.push(...this.lines(body.statements), '}');
  }

  #return(value: Expression | undefined, lowering: ExpressionLowering): void {
    const leave = this.#leave === undefined ? [] : [this.#leave];
    if (value === undefined) {
      lowering.out.push(...leave, 'return;');
      return;
    }
    const { text, type, effects } = lowering.expression(value);
    if (!effects) {
      lowering.out.push(...leave, `return ${text};`);
      return;
    }
    const name = this.#names.temporary();
    lowering.out.push(`${cDeclaration(type, name)} = ${text};`, ...leave, `return ${name};`);
  }

  #variable(name: Name, lowering: ExpressionLowering): VariableSymbol {
    const symbol = lowering.symbol(name);
    if (symbol.kind === 'function' || symbol.kind === 'builtin') {
      throw new TypeError(`'${name.text}' is not a variable.`);
    }
    return symbol;
  }
}

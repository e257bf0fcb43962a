import type { Intrinsic } from '../lang/vocabulary.ts';
import type { Block, Expression, Name, Parameter, Statement } from '../parse/ast.ts';
import type { CheckedModule } from '../types/module.ts';
import type { FunctionSymbol, VariableSymbol } from '../types/symbols.ts';
import type { BoolWords, Capture, FunctionCode, Instruction } from './code.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Jump = Mutable<Extract<Instruction, { to: number }>>;
interface Loop {
  readonly breaks: Jump[];
  readonly continues: Jump[];
}

/** Compiles a function body, or the main program. */
export class FunctionCompiler {
  readonly #module: CheckedModule;
  readonly #parent: FunctionCompiler | undefined;
  readonly #codeOf: (symbol: FunctionSymbol) => FunctionCode;
  readonly #out: Instruction[] = [];
  readonly #slots = new Map<VariableSymbol, number>();
  readonly #captured = new Map<VariableSymbol, number>();
  readonly captures: Capture[] = [];
  readonly #loops: Loop[] = [];
  #slotCount = 0;

  constructor(
    module: CheckedModule,
    codeOf: (symbol: FunctionSymbol) => FunctionCode,
    parent?: FunctionCompiler,
  ) {
    this.#module = module;
    this.#codeOf = codeOf;
    this.#parent = parent;
  }

  /**
   * Compiles a body into `code`, which exists before, so that functions can refer to each other.
   */
  body(
    code: Mutable<FunctionCode>,
    parameters: readonly Parameter[],
    block: readonly Statement[],
  ): void {
    const symbols = parameters.map(({ name }) => this.#variable(name));
    // The machine stores the arguments in the first slots, in order.
    for (const symbol of symbols) this.#slot(symbol);
    for (const symbol of symbols) {
      const slot = this.#slot(symbol);
      if (symbol.captured) this.#out.push({ op: 'load', slot }, { op: 'newCell', slot });
    }
    for (const statement of block) this.#statement(statement);
    this.#out.push({ op: 'return', value: false });
    code.instructions = this.#out;
    code.slots = this.#slotCount;
  }

  #block(block: Block): void {
    for (const statement of block.statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case 'LetStatement':
        this.#expression(statement.value);
        this.#declare(this.#variable(statement.name));
        break;
      case 'AssignStatement':
        this.#expression(statement.value);
        this.#assign(this.#variable(statement.target));
        break;
      case 'CallStatement':
        this.#expression(statement.call);
        this.#out.push({ op: 'pop' });
        break;
      case 'IfStatement': {
        const ends: Jump[] = [];
        for (const { condition, body } of statement.branches) {
          this.#expression(condition);
          const next = this.#jump('jumpUnless');
          this.#block(body);
          ends.push(this.#jump('jump'));
          this.#land(next);
        }
        if (statement.otherwise !== undefined) this.#block(statement.otherwise);
        this.#land(...ends);
        break;
      }
      case 'WhileStatement': {
        const start = this.#out.length;
        this.#expression(statement.condition);
        const end = this.#jump('jumpUnless');
        const loop = this.#loop(statement.body);
        this.#land(...loop.continues);
        this.#out.push({ op: 'jump', to: start });
        this.#land(end, ...loop.breaks);
        break;
      }
      case 'ForStatement':
        this.#for(statement.variable, statement.from, statement.to, statement.body);
        break;
      case 'BreakStatement':
        this.#loops.at(-1)?.breaks.push(this.#jump('jump'));
        break;
      case 'ContinueStatement':
        this.#loops.at(-1)?.continues.push(this.#jump('jump'));
        break;
      case 'ReturnStatement':
        if (statement.value !== undefined) this.#expression(statement.value);
        this.#out.push({ op: 'return', value: statement.value !== undefined });
        break;
      case 'ErrorStatement':
        throw new TypeError('A program with syntax errors cannot be run.');
    }
  }

  /** Compares before it adds, so that the last value can be the largest int. */
  #for(variable: Name, from: Expression, to: Expression, body: Block): void {
    const at = this.#slotCount++;
    const last = this.#slotCount++;
    this.#expression(from);
    this.#out.push({ op: 'store', slot: at });
    this.#expression(to);
    this.#out.push({ op: 'store', slot: last });
    const test = (meaning: 'lessOrEqual' | 'less'): Jump => {
      this.#out.push({ op: 'load', slot: at }, { op: 'load', slot: last });
      this.#out.push({ op: 'binary', meaning, at: '' });
      return this.#jump('jumpUnless');
    };
    const none = test('lessOrEqual');
    const start = this.#out.length;
    this.#out.push({ op: 'load', slot: at });
    this.#declare(this.#variable(variable));
    const loop = this.#loop(body);
    this.#land(...loop.continues);
    const done = test('less');
    this.#out.push({ op: 'load', slot: at }, { op: 'constant', value: 1n });
    this.#out.push({ op: 'binary', meaning: 'add', at: '' }, { op: 'store', slot: at });
    this.#out.push({ op: 'jump', to: start });
    this.#land(none, done, ...loop.breaks);
  }

  #loop(body: Block): Loop {
    const loop: Loop = { breaks: [], continues: [] };
    this.#loops.push(loop);
    this.#block(body);
    this.#loops.pop();
    return loop;
  }

  #expression(node: Expression): void {
    switch (node.kind) {
      case 'IntLiteral':
      case 'FloatLiteral':
      case 'BoolLiteral':
      case 'StringLiteral':
        this.#out.push({ op: 'constant', value: node.value });
        break;
      case 'NameExpression':
        this.#load(node.name);
        break;
      case 'MemberExpression':
        this.#load(node.member);
        break;
      case 'PrefixExpression':
        this.#expression(node.operand);
        if (node.operator === 'not') this.#out.push({ op: 'not' });
        else this.#out.push({ op: 'negate', at: this.#place(node.span.start) });
        break;
      case 'BinaryExpression': {
        this.#expression(node.left);
        if (node.operator === 'and' || node.operator === 'or') {
          const end: Jump = { op: 'shortcut', when: node.operator === 'or', to: 0 };
          this.#out.push(end);
          this.#expression(node.right);
          this.#land(end);
        } else {
          this.#expression(node.right);
          const at = this.#place(node.operatorSpan.start);
          this.#out.push({ op: 'binary', meaning: node.operator, at });
        }
        break;
      }
      case 'CallExpression':
        this.#call(node.callee, node.arguments, node.span.start);
        break;
      case 'FunctionExpression': {
        const code: Mutable<FunctionCode> = { name: '', instructions: [], slots: 0 };
        const inner = new FunctionCompiler(this.#module, this.#codeOf, this);
        inner.body(code, node.parameters, node.body.statements);
        this.#out.push({ op: 'function', code, captures: inner.captures });
        break;
      }
      case 'ErrorExpression':
        throw new TypeError('A program with syntax errors cannot be run.');
    }
  }

  #call(callee: Expression, list: readonly Expression[], start: number): void {
    const at = this.#place(start);
    const builtin = this.#builtin(callee);
    if (builtin === undefined) this.#expression(callee);
    for (const argument of list) this.#expression(argument);
    const count = list.length;
    if (builtin === undefined) this.#out.push({ op: 'call', count, at });
    else this.#out.push({ op: 'builtin', meaning: builtin, count, words: this.#words(), at });
  }

  #builtin(callee: Expression): Intrinsic | undefined {
    if (callee.kind !== 'NameExpression') return undefined;
    const symbol = this.#module.meanings.get(callee.name);
    return symbol?.kind === 'builtin' ? symbol.builtin.meaning : undefined;
  }

  #words(): BoolWords {
    return this.#module.parsed.definition.keywords;
  }

  #load(name: Name): void {
    const symbol = this.#module.meanings.get(name);
    if (symbol?.kind === 'function') {
      this.#out.push({ op: 'function', code: this.#codeOf(symbol), captures: [] });
      return;
    }
    const variable = this.#variable(name);
    const slot = this.#slots.get(variable);
    if (slot === undefined) {
      this.#out.push({ op: 'loadCapture', capture: this.#capture(variable) });
    } else {
      this.#out.push({ op: variable.captured ? 'loadCell' : 'load', slot });
    }
  }

  #declare(variable: VariableSymbol): void {
    const op = variable.captured ? 'newCell' : 'store';
    this.#out.push({ op, slot: this.#slot(variable) });
  }

  #assign(variable: VariableSymbol): void {
    const slot = this.#slots.get(variable);
    if (slot === undefined) {
      this.#out.push({ op: 'storeCapture', capture: this.#capture(variable) });
    } else {
      this.#out.push({ op: variable.captured ? 'storeCell' : 'store', slot });
    }
  }

  #slot(variable: VariableSymbol): number {
    const before = this.#slots.get(variable);
    if (before !== undefined) return before;
    const slot = this.#slotCount++;
    this.#slots.set(variable, slot);
    return slot;
  }

  /**
   * The capture index of a variable of an enclosing function. Every function in between captures it
   * too.
   */
  #capture(variable: VariableSymbol): number {
    const before = this.#captured.get(variable);
    if (before !== undefined) return before;
    const parent = this.#parent;
    if (parent === undefined)
      throw new TypeError(`'${variable.name}' is not declared in an enclosing function.`);
    const slot = parent.#slots.get(variable);
    this.captures.push(
      slot === undefined
        ? { from: 'capture', index: parent.#capture(variable) }
        : { from: 'slot', index: slot },
    );
    this.#captured.set(variable, this.captures.length - 1);
    return this.captures.length - 1;
  }

  #variable(name: Name): VariableSymbol {
    const symbol = this.#module.meanings.get(name);
    if (symbol === undefined || symbol.kind === 'function' || symbol.kind === 'builtin') {
      throw new TypeError(`'${name.text}' is not a variable.`);
    }
    return symbol;
  }

  #jump(op: 'jump' | 'jumpUnless'): Jump {
    const jump: Jump = { op, to: 0 };
    this.#out.push(jump);
    return jump;
  }

  #land(...jumps: readonly Jump[]): void {
    for (const jump of jumps) jump.to = this.#out.length;
  }

  #place(offset: number): string {
    const { line, column } = this.#module.parsed.lines.positionAt(offset);
    return `${this.#module.name === '' ? '' : `${this.#module.name}:`}${line}:${column}`;
  }
}

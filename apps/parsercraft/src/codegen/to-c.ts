import { readFileSync } from 'node:fs';
import { FAULT_EXIT_CODE, FAULTS, MAX_CALL_DEPTH, MAX_STRING_BYTES } from '../interpret/faults.ts';
import type { Statement } from '../parse/ast.ts';
import { type AnyNode, children } from '../parse/children.ts';
import { ParseError } from '../parse/errors.ts';
import type { CheckedProgram } from '../types/check.ts';
import { TypeCheckError } from '../types/errors.ts';
import type { CheckedModule } from '../types/module.ts';
import type { FunctionSymbol, VariableSymbol } from '../types/symbols.ts';
import type { Type } from '../types/type.ts';
import { cDeclaration, cString, cSuffix, snake } from './c-text.ts';
import { UnsupportedConstructError } from './errors.ts';
import { indentLines } from './indent.ts';
import type { CNames } from './lower-expression.ts';
import { StatementLowering } from './lower-statement.ts';

export interface ToCOptions {
  /**
   * Prefix of every function name, so that one file can contain several programs.
   *
   * @defaultValue 'pc_'
   */
  readonly prefix?: string;
  /**
   * Name of the C function for the main program. With a name other than `main` its type is `void
   * (void)`.
   *
   * @defaultValue 'main'
   */
  readonly main?: string;
  /** Whether to prepend the runtime. A file needs it exactly once. @defaultValue true */
  readonly runtime?: boolean;
}

let runtimeText: string | undefined;

/** The runtime: the limits, messages and functions shared by compiled programs. */
export function cRuntime(): string {
  runtimeText ??= readFileSync(new URL('../../c/runtime.c', import.meta.url), 'utf8');
  const defines = [
    `#define PC_MAX_STRING_BYTES ${MAX_STRING_BYTES}`,
    `#define PC_MAX_CALL_DEPTH ${MAX_CALL_DEPTH}`,
    `#define PC_FAULT_EXIT_CODE ${FAULT_EXIT_CODE}`,
    ...Object.entries(FAULTS).map(
      ([kind, message]) => `#define PC_FAULT_${snake(kind).toUpperCase()} ${cString(message)}`,
    ),
  ];
  return `${defines.join('\n')}\n\n${runtimeText}`;
}

/**
 * Compiles a program to C11. The compiled program has the same output and exit code as the
 * interpreter. It has no step limit, so an infinite loop never ends.
 *
 * @throws {ParseError | TypeCheckError} when the program has errors
 * @throws {UnsupportedConstructError} when the program uses function values, because C has no
 *   closures
 */
export function toC(program: CheckedProgram, options: ToCOptions = {}): string {
  const [first] = program.diagnostics;
  if (first?.source === 'syntax') throw new ParseError(program.diagnostics);
  if (first !== undefined) throw new TypeCheckError(program.diagnostics);
  const { prefix = 'pc_', main = 'main', runtime = true } = options;
  const unit = new Unit(program, prefix);
  return `${runtime ? `${cRuntime()}\n` : ''}${unit.text(main)}`;
}

/** Emits the reachable functions and collects further ones on the way. */
class Unit implements CNames {
  readonly #program: CheckedProgram;
  readonly #prefix: string;
  readonly #modules: ReadonlyMap<string, CheckedModule>;
  readonly #functions = new Map<FunctionSymbol, string>();
  readonly #variables = new Map<VariableSymbol, string>();
  readonly #waiting: FunctionSymbol[] = [];
  #temporaries = 0;

  constructor(program: CheckedProgram, prefix: string) {
    this.#program = program;
    this.#prefix = prefix;
    this.#modules = new Map([...program.modules, program.main].map((one) => [one.name, one]));
  }

  function(symbol: FunctionSymbol): string {
    let name = this.#functions.get(symbol);
    if (name === undefined) {
      const { size } = this.#functions;
      name = `${this.#prefix}f${size}${cSuffix(symbol.module)}${cSuffix(symbol.name)}`;
      this.#functions.set(symbol, name);
      this.#waiting.push(symbol);
    }
    return name;
  }

  variable(symbol: VariableSymbol): string {
    let name = this.#variables.get(symbol);
    if (name === undefined) {
      name = `v${this.#variables.size}${cSuffix(symbol.name)}`;
      this.#variables.set(symbol, name);
    }
    return name;
  }

  temporary(): string {
    return `t${this.#temporaries++}`;
  }

  text(main: string): string {
    const { parsed, functions } = this.#program.main;
    for (const symbol of functions.values()) this.function(symbol);
    const statements = parsed.program.body.filter(
      (item): item is Statement =>
        item.kind !== 'UseDeclaration' && item.kind !== 'FunctionDeclaration',
    );
    const lowering = new StatementLowering(
      this.#program.main,
      this,
      readVariables(this.#program.main, statements),
      undefined,
    );
    const body = lowering.lines(statements);
    const isMain = main === 'main';
    const head = isMain ? 'int main(void) {' : `void ${main}(void) {`;
    const mainLines = [head, ...body, ...(isMain ? ['return 0;'] : []), '}'];

    const prototypes: string[] = [];
    const definitions: string[] = [];
    for (let symbol = this.#waiting.shift(); symbol !== undefined; symbol = this.#waiting.shift()) {
      const { signature, lines } = this.#function(symbol);
      prototypes.push(`${signature};`);
      definitions.push(indentLines([`${signature} {`, ...lines, '}']));
    }
    return [...prototypes, ...definitions, indentLines(mainLines)].join('\n').concat('\n');
  }

  #function(symbol: FunctionSymbol): { readonly signature: string; readonly lines: string[] } {
    const { node, type } = symbol;
    const module = this.#modules.get(symbol.module);
    if (module === undefined || type.kind !== 'function') {
      throw new TypeError(`'${symbol.name}' is not a function of this program.`);
    }
    const declare = (part: Type, name: string, offset: number): string => {
      const { kind } = part;
      if (kind !== 'function' && kind !== 'variable' && kind !== 'unknown') {
        return cDeclaration(kind, name);
      }
      const at = module.parsed.lines.positionAt(offset);
      throw new UnsupportedConstructError('a function value', at, module.name);
    };
    const parameters = node.parameters.map(({ name }, index) => {
      const variable = module.meanings.get(name) as VariableSymbol;
      return declare(type.parameters[index] as Type, this.variable(variable), name.span.start);
    });
    const list = ['const char *place', ...parameters].join(', ');
    const head = declare(type.result, this.function(symbol), node.name.span.start);
    const { statements } = node.body;
    const read = readVariables(module, statements);
    const lines = ['pc_enter(place);'];
    lines.push(...new StatementLowering(module, this, read, 'pc_leave();').lines(statements));
    if (type.result.kind === 'void') lines.push('pc_leave();');
    else if (statements.at(-1)?.kind !== 'ReturnStatement') {
      lines.push(unreachableReturn(type.result));
    }
    return { signature: `${head}(${list})`, lines };
  }
}

/** The type checker has proved that every code path returns; a C compiler may not see it. */
function unreachableReturn(type: Type): string {
  return `return ${type.kind === 'string' ? '""' : '0'};`;
}

/** The variables that are read in a list of statements. */
function readVariables(
  module: CheckedModule,
  statements: readonly Statement[],
): ReadonlySet<VariableSymbol> {
  const read = new Set<VariableSymbol>();
  const waiting: AnyNode[] = [...statements];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.kind === 'NameExpression') {
      const symbol = module.meanings.get(node.name);
      if (symbol !== undefined && symbol.kind !== 'function' && symbol.kind !== 'builtin') {
        read.add(symbol);
      }
    }
    for (const child of children(node)) waiting.push(child);
  }
  return read;
}

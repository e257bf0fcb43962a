import type { Statement } from '../parse/ast.ts';
import { ParseError } from '../parse/errors.ts';
import type { CheckedProgram } from '../types/check.ts';
import { TypeCheckError } from '../types/errors.ts';
import type { FunctionSymbol } from '../types/symbols.ts';
import type { FunctionCode } from './code.ts';
import { FunctionCompiler } from './compile-function.ts';

/**
 * Compiles a program, and the functions it can reach, to instructions of the machine.
 *
 * @throws {ParseError | TypeCheckError} when the program has errors
 */
export function compile(program: CheckedProgram): FunctionCode {
  const [first] = program.diagnostics;
  if (first?.source === 'syntax') throw new ParseError(program.diagnostics);
  if (first !== undefined) throw new TypeCheckError(program.diagnostics);

  const modules = new Map([...program.modules, program.main].map((one) => [one.name, one]));
  const codes = new Map<FunctionSymbol, FunctionCode>();
  const waiting: FunctionSymbol[] = [];
  const codeOf = (symbol: FunctionSymbol): FunctionCode => {
    let code = codes.get(symbol);
    if (code === undefined) {
      code = { name: symbol.name, instructions: [], slots: 0 };
      codes.set(symbol, code);
      waiting.push(symbol);
    }
    return code;
  };

  const main: FunctionCode = { name: 'main', instructions: [], slots: 0 };
  const statements = program.main.parsed.program.body.filter(
    (item): item is Statement =>
      item.kind !== 'UseDeclaration' && item.kind !== 'FunctionDeclaration',
  );
  new FunctionCompiler(program.main, codeOf).body(main, [], statements);
  for (let symbol = waiting.pop(); symbol !== undefined; symbol = waiting.pop()) {
    const module = modules.get(symbol.module);
    if (module === undefined) throw new TypeError(`Package '${symbol.module}' is not loaded.`);
    const { parameters, body } = symbol.node;
    new FunctionCompiler(module, codeOf).body(codeOf(symbol), parameters, body.statements);
  }
  return main;
}

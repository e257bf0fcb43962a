import type { Expression, FunctionDeclaration, TopLevel, UseDeclaration } from '../parse/ast.ts';
import type { ParseResult } from '../parse/parse.ts';
import { StatementChecker } from './check-statement.ts';
import { Inference } from './inference.ts';
import type { CheckedModule } from './module.ts';
import { type FunctionSymbol, Scope } from './symbols.ts';
import type { FunctionType, Type } from './type.ts';
import { Finisher, TypesTooComplex } from './unify.ts';

/** The result of resolving a `use`: the package, or the reason why it is unavailable. */
type ModuleLookup = (declaration: UseDeclaration) => CheckedModule | string;

/**
 * Type-checks one module. Every function has a single type, inferred from its body and its calls
 * together. The types of imported functions are already known.
 *
 * @param name - the package name; empty for the main program, which alone may contain statements
 */
export function checkModule(
  name: string,
  parsed: ParseResult,
  lookup: ModuleLookup,
): CheckedModule {
  const inference = new Inference(parsed);
  const { body } = parsed.program;
  const mainNames = new Set(
    body.map((item) => (item.kind === 'LetStatement' ? item.name.text : '')),
  );
  const checker = new StatementChecker(inference, mainNames);
  const moduleScope = new Scope({ parent: undefined, result: undefined }, undefined, false);
  for (const builtin of parsed.definition.functions) {
    moduleScope.declare({ kind: 'builtin', name: builtin.name, builtin });
  }

  try {
    const functions: { node: FunctionDeclaration; symbol: FunctionSymbol }[] = [];
    for (const item of body) {
      if (item.kind === 'UseDeclaration') importPackage(inference, item, lookup);
      if (item.kind === 'FunctionDeclaration') {
        functions.push({
          node: item,
          symbol: declareFunction(inference, checker, item, name, moduleScope),
        });
      }
    }
    for (const { node, symbol } of functions) {
      checker.functionBody(node, symbol.type as FunctionType, moduleScope);
    }
    const mainScope = moduleScope.block();
    inference.scopes.unshift({ span: parsed.program.span, scope: mainScope });
    for (const item of body) {
      if (item.kind === 'UseDeclaration' || item.kind === 'FunctionDeclaration') continue;
      if (name !== '') refuseStatement(inference, item);
      refuseFunctionName(inference, item);
      checker.statement(item, mainScope);
    }
  } catch (error) {
    if (!(error instanceof TypesTooComplex)) throw error;
    const message = 'the types of this program are too complex to infer';
    inference.report({ start: 0, end: 0 }, 'too-complex', message);
  }
  return finish(name, parsed, inference);
}

function importPackage(
  inference: Inference,
  declaration: UseDeclaration,
  lookup: ModuleLookup,
): void {
  const { packageName, packageSpan } = declaration;
  const module = lookup(declaration);
  const alias = declaration.alias?.text ?? packageName.split('.').at(-1) ?? '';
  if (packageName === '') return;
  if (typeof module === 'string') {
    inference.report(packageSpan, 'unknown-package', module);
    return;
  }
  if (inference.imports.has(alias)) {
    const message = `another package is already imported as '${alias}'`;
    inference.report(declaration.alias?.span ?? packageSpan, 'name-taken', message);
    return;
  }
  inference.imports.set(alias, { declaration, alias, module });
}

function declareFunction(
  inference: Inference,
  checker: StatementChecker,
  node: FunctionDeclaration,
  module: string,
  scope: Scope,
): FunctionSymbol {
  const type = checker.signature(node.parameters, node.result, node.body);
  const { text } = node.name;
  const symbol: FunctionSymbol = {
    kind: 'function',
    name: text,
    declaration: node.name,
    node,
    type,
    module,
  };
  const taken = scope.own(text);
  if (taken !== undefined && text !== '') {
    const what =
      taken.kind === 'builtin'
        ? 'the name of a built-in function'
        : 'already declared as a function';
    inference.report(node.name.span, 'name-taken', `'${text}' is ${what}`);
  } else {
    scope.declare(symbol);
    inference.functions.set(text, symbol);
  }
  inference.meanings.set(node.name, symbol);
  inference.symbols.push(symbol);
  return symbol;
}

function refuseStatement(inference: Inference, item: TopLevel): void {
  const message = 'a package may contain only functions and package imports';
  inference.report(item.span, 'package-statement', message);
}

/**
 * Without this check, a variable of the main program would hide a function in part of the program.
 */
function refuseFunctionName(inference: Inference, item: TopLevel): void {
  if (item.kind !== 'LetStatement' || !inference.functions.has(item.name.text)) return;
  const message = `'${item.name.text}' is already declared as a function`;
  inference.report(item.name.span, 'name-taken', message);
}

function finish(name: string, parsed: ParseResult, inference: Inference): CheckedModule {
  const finisher = new Finisher();
  const alreadyWrong = inference.diagnostics.length > 0;
  for (const symbol of inference.symbols) {
    const { type, open } = finisher.finish(symbol.type);
    symbol.type = type;
    if (!open || alreadyWrong || symbol.name === '') continue;
    // An unresolved parameter is reported by itself; a function only when its result is unresolved.
    const isFunction = symbol.kind === 'function' && type.kind === 'function';
    if (isFunction && !finisher.finish(type.result).open && type.result.kind !== 'unknown')
      continue;
    const message = isFunction
      ? `cannot infer the return type of '${symbol.name}'; add a type annotation`
      : `cannot infer the type of '${symbol.name}'; add a type annotation`;
    inference.report(symbol.declaration.span, 'ambiguous-type', message);
  }
  const types = new Map<Expression, Type>();
  for (const [node, type] of inference.types) types.set(node, finisher.finish(type).type);
  return {
    name,
    parsed,
    imports: inference.imports,
    functions: inference.functions,
    types,
    meanings: inference.meanings,
    symbols: inference.symbols.toSorted(
      (a, b) => a.declaration.span.start - b.declaration.span.start,
    ),
    scopes: inference.scopes,
    diagnostics: inference.diagnostics.toSorted((a, b) => a.start.offset - b.start.offset),
  };
}

import type { LanguageDefinition } from '../lang/definition.ts';
import type { UseDeclaration } from '../parse/ast.ts';
import { ParseError } from '../parse/errors.ts';
import { type ParseOptions, type ParseResult, parse } from '../parse/parse.ts';
import { type Diagnostic, formatDiagnostic } from '../source/diagnostic.ts';
import { checkModule } from './check-module.ts';
import { TypeCheckError } from './errors.ts';
import type { CheckedModule } from './module.ts';

/** The source of a package, in the language that its manifest names. */
export interface PackageSource {
  readonly source: string;
  readonly definition: LanguageDefinition;
}

export type PackageSources = ReadonlyMap<string, PackageSource>;

export interface CheckOptions extends ParseOptions {
  /** The packages that `use` can name. @defaultValue none */
  readonly packages?: PackageSources;
}

/** A program with the packages that it uses, all of them checked. */
export interface CheckedProgram {
  readonly main: CheckedModule;
  /** The packages, each after those it uses itself. */
  readonly modules: readonly CheckedModule[];
  /** The syntax errors of the program; when it has none, its type errors. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Packages that may use one another in a row. */
const MAX_PACKAGE_DEPTH = 64;

/** Checks a parsed program and the packages it uses. Never throws for what they hold. */
export function check(parsed: ParseResult, options: CheckOptions = {}): CheckedProgram {
  const loader = new Loader(options);
  const main = checkModule('', parsed, (declaration) => loader.load(declaration, []));
  const diagnostics = parsed.diagnostics.length > 0 ? parsed.diagnostics : main.diagnostics;
  return { main, modules: loader.modules, diagnostics };
}

/**
 * Checks a program that must be right.
 *
 * @throws {ParseError} when it does not read, {@link TypeCheckError} when its types do not fit
 */
export function checkStrict(parsed: ParseResult, options: CheckOptions = {}): CheckedProgram {
  const program = check(parsed, options);
  if (parsed.diagnostics.length > 0) throw new ParseError(parsed.diagnostics);
  if (program.diagnostics.length > 0) throw new TypeCheckError(program.diagnostics);
  return program;
}

class Loader {
  readonly modules: CheckedModule[] = [];
  readonly #options: CheckOptions;
  readonly #found = new Map<string, CheckedModule | string>();

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  /** The checked package, or why it cannot be used. */
  load({ packageName: name }: UseDeclaration, users: readonly string[]): CheckedModule | string {
    if (users.includes(name)) {
      const circle = [...users.slice(users.indexOf(name)), name].join(' → ');
      return `package '${name}' uses itself: ${circle}`;
    }
    const before = this.#found.get(name);
    if (before !== undefined) return before;
    const found = this.#check(name, [...users, name]);
    this.#found.set(name, found);
    if (typeof found !== 'string') this.modules.push(found);
    return found;
  }

  #check(name: string, users: readonly string[]): CheckedModule | string {
    const source = this.#options.packages?.get(name);
    if (source === undefined) return `there is no package '${name}' here`;
    if (users.length > MAX_PACKAGE_DEPTH) return `more than ${MAX_PACKAGE_DEPTH} packages in a row`;
    const parsed = parse(source.definition, source.source, this.#options);
    const module = checkModule(name, parsed, (declaration) => this.load(declaration, users));
    const [first] = [...parsed.diagnostics, ...module.diagnostics];
    return first === undefined
      ? module
      : `package '${name}' has an error: ${formatDiagnostic(first)}`;
  }
}

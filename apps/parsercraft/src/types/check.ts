import type { LanguageDefinition } from '../lang/definition.ts';
import type { UseDeclaration } from '../parse/ast.ts';
import { ParseError } from '../parse/errors.ts';
import { type ParseOptions, type ParseResult, parse } from '../parse/parse.ts';
import { type Diagnostic, formatDiagnostic } from '../source/diagnostic.ts';
import { checkModule } from './check-module.ts';
import { TypeCheckError } from './errors.ts';
import type { CheckedModule } from './module.ts';

/** The source of a package, and the definition of its language. */
export interface PackageSource {
  readonly source: string;
  readonly definition: LanguageDefinition;
}

export type PackageSources = ReadonlyMap<string, PackageSource>;

export interface CheckOptions extends ParseOptions {
  /** The packages available to `use`. @defaultValue none */
  readonly packages?: PackageSources;
}

/** A type-checked program with the packages it uses. */
export interface CheckedProgram {
  readonly main: CheckedModule;
  /** The packages in dependency order. */
  readonly modules: readonly CheckedModule[];
  /** The syntax errors of the program, or if there are none, its type errors. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Maximum length of a chain of package dependencies. */
const MAX_PACKAGE_DEPTH = 64;

/** Type-checks a parsed program and the packages it uses. Never throws, whatever they contain. */
export function check(parsed: ParseResult, options: CheckOptions = {}): CheckedProgram {
  const loader = new Loader(options);
  const main = checkModule('', parsed, (declaration) => loader.load(declaration, []));
  const diagnostics = parsed.diagnostics.length > 0 ? parsed.diagnostics : main.diagnostics;
  return { main, modules: loader.modules, diagnostics };
}

/**
 * Type-checks a program, and throws on errors.
 *
 * @throws {ParseError} when it has syntax errors, {@link TypeCheckError} when it has type errors
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

  /** The checked package, or the reason why it is unavailable. */
  load({ packageName: name }: UseDeclaration, users: readonly string[]): CheckedModule | string {
    if (users.includes(name)) {
      const cycle = [...users.slice(users.indexOf(name)), name].join(' → ');
      return `circular package dependency: ${cycle}`;
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
    if (source === undefined) return `package '${name}' not found`;
    if (users.length > MAX_PACKAGE_DEPTH)
      return `package dependencies are nested more than ${MAX_PACKAGE_DEPTH} levels deep`;
    const parsed = parse(source.definition, source.source, this.#options);
    const module = checkModule(name, parsed, (declaration) => this.load(declaration, users));
    const [first] = [...parsed.diagnostics, ...module.diagnostics];
    return first === undefined ? module : `error in package '${name}': ${formatDiagnostic(first)}`;
  }
}

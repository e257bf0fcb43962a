import { type ToCOptions, toC } from './codegen/to-c.ts';
import { format } from './format/format.ts';
import { type RunOptions, type RunResult, run } from './interpret/run.ts';
import type { LanguageDefinition } from './lang/definition.ts';
import { type ParseOptions, type ParseResult, parse, parseStrict } from './parse/parse.ts';
import type { Diagnostic } from './source/diagnostic.ts';
import {
  type CheckedProgram,
  type CheckOptions,
  check,
  checkStrict,
  type PackageSources,
} from './types/check.ts';
import { typeText } from './types/type.ts';

/** A name that a program declares, and the type found for it. */
export interface InferredName {
  readonly name: string;
  readonly kind: 'variable' | 'parameter' | 'loop variable' | 'function';
  /** In the words of the language. */
  readonly type: string;
  readonly line: number;
  readonly column: number;
}

export interface ToolchainOptions extends ParseOptions {
  /** The packages that programs can `use`. @defaultValue none */
  readonly packages?: PackageSources;
}

/** Everything that can be done with a program of one language. */
export interface Toolchain {
  readonly definition: LanguageDefinition;
  /** Parses with recovery; never throws for what the text holds. */
  parse(text: string): ParseResult;
  /** Parses and checks with recovery; never throws for what the text holds. */
  analyse(text: string): CheckedProgram;
  /** What is wrong with a text: its syntax errors, or else its type errors. */
  diagnostics(text: string): readonly Diagnostic[];
  /** @throws {ParseError | TypeCheckError} */
  check(text: string): CheckedProgram;
  /** The types of all names. @throws {ParseError | TypeCheckError} */
  infer(text: string): readonly InferredName[];
  /** @throws {ParseError | TypeCheckError | UnsupportedConstructError} */
  toC(text: string, options?: ToCOptions): string;
  /** @throws {ParseError | TypeCheckError | StepBudgetError | OutputLimitError} */
  run(text: string, options?: RunOptions): Promise<RunResult>;
  /** @throws {ParseError} */
  format(text: string): string;
}

/** The whole toolchain of a language; its parser is built at the first use and kept. */
export function createToolchain(
  definition: LanguageDefinition,
  options: ToolchainOptions = {},
): Toolchain {
  const checkOptions: CheckOptions = options;
  const checked = (text: string): CheckedProgram =>
    checkStrict(parseStrict(definition, text, options), checkOptions);
  const analyse = (text: string): CheckedProgram =>
    check(parse(definition, text, options), checkOptions);
  return {
    definition,
    parse: (text) => parse(definition, text, options),
    analyse,
    diagnostics: (text) => analyse(text).diagnostics,
    check: checked,
    infer: (text) => inferredNames(checked(text)),
    toC: (text, how) => toC(checked(text), how),
    run: async (text, how) => run(checked(text), how),
    format: (text) => format(definition, text, options),
  };
}

function inferredNames({ main }: CheckedProgram): readonly InferredName[] {
  const { definition, lines } = main.parsed;
  return main.symbols.map(({ name, kind, type, declaration }) => {
    const { line, column } = lines.positionAt(declaration.span.start);
    return { name, kind, type: typeText(type, definition), line, column };
  });
}

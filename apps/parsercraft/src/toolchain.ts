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

/** A declared name and its inferred type. */
export interface InferredName {
  readonly name: string;
  readonly kind: 'variable' | 'parameter' | 'loop variable' | 'function';
  /** The type, in the spelling of the language. */
  readonly type: string;
  readonly line: number;
  readonly column: number;
}

interface ToolchainOptions extends ParseOptions {
  /** The packages that programs can `use`. @defaultValue none */
  readonly packages?: PackageSources;
}

/** The operations on programs of one language. */
interface Toolchain {
  readonly definition: LanguageDefinition;
  /** Parses with error recovery. Never throws, whatever the text contains. */
  parse(text: string): ParseResult;
  /** Parses and type-checks with error recovery. Never throws, whatever the text contains. */
  analyse(text: string): CheckedProgram;
  /** The syntax errors of a text, or if there are none, its type errors. */
  diagnostics(text: string): readonly Diagnostic[];
  /** @throws {ParseError | TypeCheckError} */
  check(text: string): CheckedProgram;
  /** The types of all declared names. @throws {ParseError | TypeCheckError} */
  infer(text: string): readonly InferredName[];
  /** @throws {ParseError | TypeCheckError | UnsupportedConstructError} */
  toC(text: string, options?: ToCOptions): string;
  /** @throws {ParseError | TypeCheckError | StepBudgetError | OutputLimitError} */
  run(text: string, options?: RunOptions): Promise<RunResult>;
  /** @throws {ParseError} */
  format(text: string): string;
}

/** Creates the toolchain of a language. Its parser is built on first use and cached. */
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

import type {
  BUNDLED_LANGUAGES,
  ConformanceReport,
  InferredName,
  LspInitialization,
  ProtocolDefinition,
  RunResult,
  Structure,
} from '@temper/parsercraft';

type BundledLanguage = (typeof BUNDLED_LANGUAGES)[number];

/** A bundled language, or a language definition in YAML. */
export type Language = { readonly bundled: BundledLanguage } | { readonly definition: string };

/** The source of a package. Packages are written in bundled languages. */
export interface PackageText {
  readonly source: string;
  readonly language: BundledLanguage;
}

/** A program as text, with the packages that it uses. */
export interface Program {
  readonly source: string;
  readonly language: Language;
  readonly packages: ReadonlyMap<string, PackageText>;
}

/** A type and the protocols to check it against. */
export interface ProtocolQuestion {
  readonly name: string;
  readonly structure: Structure;
  readonly definitions: readonly ProtocolDefinition[];
  /** Names of protocols among the definitions. */
  readonly against: readonly string[];
}

/** A request of an editor, to be answered without the language server. */
export interface EditorQuestion {
  readonly initialization: LspInitialization;
  readonly uri: string;
  readonly language: string;
  /** Texts of the document, the newest first: the first without syntax errors is used. */
  readonly texts: readonly string[];
  /** A method of the Language Server Protocol, and its parameters. */
  readonly method: string;
  readonly params: unknown;
}

/** Work of the toolchain, and its result. Both are copied between processes. */
export interface Jobs {
  /** Generates C. */
  readonly c: { readonly input: Program; readonly result: { readonly c: string } };
  readonly run: { readonly input: Program; readonly result: RunResult };
  readonly types: {
    readonly input: Program;
    readonly result: {
      readonly names: readonly InferredName[];
      /** The functions of the program as methods, for protocol checks. */
      readonly structure: Structure;
    };
  };
  /** The names of the packages that a program uses. Syntax errors are left to the jobs above. */
  readonly imports: {
    readonly input: Omit<Program, 'packages'>;
    readonly result: readonly string[];
  };
  readonly protocols: {
    readonly input: ProtocolQuestion & {
      /** Time after which the reports list the other members as unchecked, in milliseconds. */
      readonly timeMs: number;
    };
    readonly result: readonly ConformanceReport[];
  };
  /** The answer is undefined when there is no text to answer from, or the request is invalid. */
  readonly editor: {
    readonly input: EditorQuestion;
    readonly result: { readonly answer: unknown };
  };
}

export type JobKind = keyof Jobs;

export interface Job<K extends JobKind = JobKind> {
  readonly kind: K;
  readonly input: Jobs[K]['input'];
}

import type { TextDocument } from 'vscode-languageserver-textdocument';
import { BUNDLED_LANGUAGES, bundledDefinition } from '../lang/bundled.ts';
import type { LanguageDefinition } from '../lang/definition.ts';
import { loadDefinition } from '../lang/load.ts';
import { parse } from '../parse/parse.ts';
import { type CheckedProgram, check, type PackageSource } from '../types/check.ts';

/** The initialization options of the server. */
export interface LspInitialization {
  /** Language definitions in YAML, in addition to the bundled ones. */
  readonly definitions?: readonly string[];
  /** Language of documents whose `languageId` and file name match none. @defaultValue 'core' */
  readonly language?: string;
  /** Package sources by package name. */
  readonly packages?: Readonly<
    Record<string, { readonly source: string; readonly language?: string }>
  >;
}

/** The languages and packages of a server, and the current analysis of each document. */
export class Workspace {
  readonly #definitions = new Map<string, LanguageDefinition>();
  readonly #packages = new Map<string, PackageSource>();
  readonly #analyses = new Map<
    string,
    { readonly version: number; readonly program: CheckedProgram }
  >();
  readonly #fallback: LanguageDefinition;

  /** @throws {LanguageDefinitionError} when a definition is invalid */
  constructor(initialization: LspInitialization = {}) {
    for (const name of BUNDLED_LANGUAGES) this.#definitions.set(name, bundledDefinition(name));
    for (const yaml of initialization.definitions ?? []) {
      const definition = loadDefinition(yaml);
      this.#definitions.set(definition.name, definition);
    }
    this.#fallback =
      this.#definitions.get(initialization.language ?? 'core') ?? bundledDefinition('core');
    for (const [name, { source, language }] of Object.entries(initialization.packages ?? {})) {
      const definition = this.#definitions.get(language ?? 'core') ?? this.#fallback;
      this.#packages.set(name, { source, definition });
    }
  }

  /**
   * The definition for a document: by language id, else by longest file extension, else the
   * fallback.
   */
  definitionOf({ languageId, uri }: Pick<TextDocument, 'languageId' | 'uri'>): LanguageDefinition {
    const named = this.#definitions.get(languageId);
    if (named !== undefined) return named;
    const fitting = [...this.#definitions.values()]
      .filter(({ extension }) => uri.endsWith(extension))
      .sort((a, b) => b.extension.length - a.extension.length);
    return fitting[0] ?? this.#fallback;
  }

  analyse(document: TextDocument): CheckedProgram {
    const before = this.#analyses.get(document.uri);
    if (before?.version === document.version) return before.program;
    const program = this.analyseText(document, document.getText());
    this.#analyses.set(document.uri, { version: document.version, program });
    return program;
  }

  /** Analyses a different text for a document, without caching. */
  analyseText(document: TextDocument, text: string): CheckedProgram {
    return check(parse(this.definitionOf(document), text), { packages: this.#packages });
  }

  forget(uri: string): void {
    this.#analyses.delete(uri);
  }
}

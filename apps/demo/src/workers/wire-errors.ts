import {
  LanguageDefinitionError,
  OutputLimitError,
  ParseError,
  ProtocolValidationError,
  StepBudgetError,
  TypeCheckError,
  UnsupportedConstructError,
} from '@temper/parsercraft';

/** An error of the toolchain as the arguments of its constructor, or of anything else as text. */
export type WireError =
  | { readonly name: string; readonly made: readonly unknown[] }
  | { readonly name: string; readonly stack: string };

/** An error class and how its instances travel. */
interface Codec {
  readonly name: string;
  /** The arguments of its constructor; undefined for an instance of another class. */
  read(error: unknown): readonly unknown[] | undefined;
  make(list: readonly unknown[]): Error;
}

function codec<E extends Error, P extends readonly [unknown, ...unknown[]]>(
  type: new (...list: P) => E,
  read: (error: E) => P,
): Codec {
  return {
    name: type.name,
    read: (error) => (error instanceof type ? read(error) : undefined),
    make: (list) => new type(...(list as P)),
  };
}

const CODECS: readonly Codec[] = [
  codec(ParseError, ({ diagnostics }) => [diagnostics]),
  codec(TypeCheckError, ({ diagnostics }) => [diagnostics]),
  codec(LanguageDefinitionError, ({ issues }) => [issues]),
  codec(ProtocolValidationError, ({ issues }) => [issues]),
  codec(StepBudgetError, ({ maxSteps }) => [maxSteps]),
  codec(OutputLimitError, ({ maxOutputBytes }) => [maxOutputBytes]),
  codec(UnsupportedConstructError, ({ construct, line, column, module }) => [
    construct,
    { line, column },
    module,
  ]),
];

export function encodeError(error: unknown): WireError {
  for (const { name, read } of CODECS) {
    const made = read(error);
    if (made !== undefined) return { name, made };
  }
  if (!(error instanceof Error)) return { name: typeof error, stack: String(error) };
  return { name: error.name, stack: error.stack ?? error.message };
}

/** The error of the toolchain; undefined when it is none that the toolchain documents. */
export function decodeError(error: WireError): Error | undefined {
  if (!('made' in error)) return undefined;
  return CODECS.find(({ name }) => name === error.name)?.make(error.made);
}

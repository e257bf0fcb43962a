import { seededRandom } from '../seeded-random.ts';

/** A parser of text that somebody else wrote. */
export interface Parser {
  /** What it reads, and where that comes from. */
  readonly name: string;
  /** Texts that it accepts: the mutations begin with them. */
  readonly accepted: readonly string[];
  /** Texts that it refuses, which lie closer to the edge than what mutations find. */
  readonly refused?: readonly string[];
  /** Length beyond which every text is refused, of a parser that is not ours and slower than others. */
  readonly longest?: number;
  /**
   * Parses a text. Refuses it with `undefined` or with an error that {@link refusal} knows.
   *
   * @throws what breaks a law that holds for every text, or for every value
   */
  parse(text: string): unknown;
  /** Whether an error is a refusal. Without it the parser must never throw. */
  refusal?(error: unknown): boolean;
}

/** How often a run came where. */
export interface FuzzCounts {
  readonly accepted: number;
  readonly refused: number;
}

/** What breaks parsers: ends of text and lines, halves of pairs, numbers at an edge, names of prototypes. */
const TOKENS: readonly string[] = [
  ...['', '\0', '\n', '\r\n', '\t', '\u2028', '\ud800', '\udc00', '\u{1f600}', '\ufeff', '\u0130'],
  ...['"', "'", '\\', '\\u0000', '\\ud800', '{', '}', '[', ']', '(', ')', '<', '>', '%', '%00'],
  ...[',', ';', ':', '::', '=', '+', '-', '--', '*', '/', '//', '.', '..', '@', '#', '?', '&'],
  ...['-0', '1e999', '9007199254740993', '99999999999999999999', '0x10', 'NaN', 'Infinity', '1.'],
  ...['null', 'true', '{}', '[]', '""', '__proto__', 'constructor', 'toString', '"__proto__":{}'],
];

/**
 * Mutations of the texts of a parser, from a seed: pieces removed, doubled, moved, swapped for tokens and for
 * pieces of other texts, repeated up to hundreds of times.
 */
export function* mutations(
  { accepted, refused = [] }: Pick<Parser, 'accepted' | 'refused'>,
  seed: number,
): Generator<string, never> {
  const random = seededRandom(seed);
  const corpus = [...accepted, ...refused];
  const below = (bound: number): number => Math.floor(random() * bound);
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const piece = (text: string): string => {
    const at = below(text.length + 1);
    return text.slice(at, at + below(random() < 0.5 ? 4 : 40));
  };
  const inserted = (): string => {
    const kind = random();
    if (kind < 0.5) return one(TOKENS);
    if (kind < 0.8) return piece(one(corpus));
    if (kind < 0.9) return String.fromCharCode(below(random() < 0.8 ? 0x80 : 0x1_0000));
    return (piece(one(corpus)) || one(TOKENS)).repeat(below(random() < 0.9 ? 8 : 400));
  };
  for (;;) {
    let text = one(corpus);
    for (let left = 1 + below(5); left > 0; left--) {
      const at = below(text.length + 1);
      const to = at + (random() < 0.6 ? 0 : below(random() < 0.7 ? 4 : text.length + 1 - at));
      text = text.slice(0, at) + (random() < 0.25 ? '' : inserted()) + text.slice(to);
    }
    yield text;
  }
}

/** Texts of about `length` code units that repeat a piece between the beginning and the end of a text. */
export function* pumped(
  { accepted, refused = [] }: Pick<Parser, 'accepted' | 'refused'>,
  seed: number,
  length: number,
): Generator<string, never> {
  const random = seededRandom(seed);
  const corpus = [...accepted, ...refused];
  const below = (bound: number): number => Math.floor(random() * bound);
  for (;;) {
    const text = corpus[below(corpus.length)] as string;
    const from = below(text.length + 1);
    const to = from + 1 + below(random() < 0.7 ? 3 : 30);
    const token = TOKENS[below(TOKENS.length)] as string;
    const pump = (random() < 0.6 ? text.slice(from, to) : token) || 'a';
    const end = random() < 0.5 ? text.slice(to) : random() < 0.5 ? '\0' : '';
    yield text.slice(0, from) + pump.repeat(Math.ceil(length / pump.length)) + end;
  }
}

/**
 * Parses one text.
 *
 * @returns whether it was accepted
 * @throws {Error} that quotes the text, when the parser throws what is no refusal
 */
export function tryText(parser: Parser, text: string): boolean {
  try {
    return parser.parse(text) !== undefined;
  } catch (error) {
    if (parser.refusal?.(error) === true) return false;
    const quoted =
      text.length <= 2000 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 500))}…`;
    throw new Error(`${parser.name}: ${error} on ${text.length} code units: ${quoted}`, {
      cause: error,
    });
  }
}

/** Length of long texts, in UTF-16 code units: deeper than any stack, if each of them opens a bracket. */
const LONG = 65_536;

/**
 * Parses the texts of a parser, mutations of them, and some long ones.
 *
 * @param runs - how many mutations
 * @throws {Error} that quotes the text, when the parser throws what is no refusal; when it does not accept
 *   what it must accept, or accepts what it must refuse
 */
export function fuzz(parser: Parser, runs: number, seed = 1): FuzzCounts {
  const counts = { accepted: 0, refused: 0 };
  const count = (text: string): void => {
    counts[tryText(parser, text) ? 'accepted' : 'refused']++;
  };
  for (const text of parser.accepted) {
    if (!tryText(parser, text)) throw new Error(`${parser.name}: refused ${JSON.stringify(text)}`);
  }
  for (const text of parser.refused ?? []) {
    if (tryText(parser, text)) throw new Error(`${parser.name}: accepted ${JSON.stringify(text)}`);
  }
  const short = mutations(parser, seed);
  for (let run = 0; run < runs; run++) count(short.next().value);
  const long = pumped(parser, seed, LONG);
  for (let run = 0; run < runs / 50; run++) count(long.next().value);
  return counts;
}

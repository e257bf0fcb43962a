import { EmbeddedActionsParser, type IToken, type ParserMethod } from 'chevrotain';
import type { LanguageDefinition } from '../lang/definition.ts';
import { TYPE_NAMES, type TypeName } from '../lang/vocabulary.ts';
import type { Span } from '../source/source.ts';
import type { Name, TopLevel } from './ast.ts';
import type { Decoded } from './literals.ts';
import { parserMessages } from './messages.ts';
import type { Vocabulary } from './vocabulary.ts';

export type Rule<T> = ParserMethod<[], T>;

/** An error found by the actions of the grammar, not by the recognizer. */
export interface GrammarFault {
  readonly code: string;
  readonly message: string;
  readonly span: Span;
}

/** Aborts a parse after the maximum number of errors. */
export class TooManyErrors extends Error {}

/** Support for the grammar actions: source text, token spans, names, literals and errors. */
export abstract class GrammarActions extends EmbeddedActionsParser {
  protected readonly v: Vocabulary;
  protected readonly typeNames: ReadonlyMap<string, TypeName>;
  protected text = '';
  protected body: TopLevel[] = [];
  protected faults: GrammarFault[] = [];
  readonly #count: { errors: number };

  constructor(definition: LanguageDefinition, vocabulary: Vocabulary, maxErrors: number) {
    const count = { errors: 0 };
    const onError = (): void => {
      count.errors += 1;
      if (count.errors > maxErrors) throw new TooManyErrors();
    };
    super([...vocabulary.all], {
      recoveryEnabled: true,
      maxLookahead: 2,
      errorMessageProvider: parserMessages(onError),
    });
    this.#count = count;
    this.v = vocabulary;
    this.typeNames = new Map(TYPE_NAMES.map((type) => [definition.types[type], type]));
  }

  protected begin(text: string, tokens: IToken[]): void {
    this.text = text;
    this.body = [];
    this.faults = [];
    this.#count.errors = 0;
    this.input = tokens;
  }

  /** The start of the next token, or the end of the text. */
  protected startOffset(): number {
    const { startOffset } = this.LA(1);
    return startOffset >= 0 ? startOffset : this.text.length;
  }

  /** The end of the previous token. */
  protected lastEnd(): number {
    const last = this.LA(0);
    return last !== undefined && last.startOffset >= 0 ? last.startOffset + last.image.length : 0;
  }

  protected spanFrom(start: number): Span {
    return { start, end: Math.max(start, this.lastEnd()) };
  }

  protected spanHere(): Span {
    const start = this.startOffset();
    return { start, end: start };
  }

  protected tokenSpan(token: IToken): Span {
    const start = token.startOffset >= 0 ? token.startOffset : this.startOffset();
    return { start, end: start + token.image.length };
  }

  protected nameOf(token: IToken): Name {
    return { kind: 'Name', text: token.image.normalize('NFC'), span: this.tokenSpan(token) };
  }

  protected onSameLine(): boolean {
    return !this.text.slice(this.lastEnd(), this.startOffset()).includes('\n');
  }

  protected keep(item: TopLevel | undefined): void {
    if (item !== undefined) this.body.push(item);
  }

  /** The value of a literal. Reports its error, except while the parser records its grammar. */
  protected decoded<T>(token: IToken, decode: (image: string) => Decoded<T>): T {
    if (this.RECORDING_PHASE) return decode('0').value;
    const decoded = decode(token.image);
    if (!decoded.ok && token.image !== '') {
      const { start, end } = this.tokenSpan(token);
      const span = { start: start + decoded.at, end };
      this.faults.push({ code: 'bad-literal', message: decoded.message, span });
    }
    return decoded.value;
  }
}

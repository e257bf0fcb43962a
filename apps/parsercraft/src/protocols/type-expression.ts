import { isWord } from '../lang/words.ts';

export const PRIMITIVES = ['int', 'float', 'bool', 'string', 'void', 'any'] as const;
type Primitive = (typeof PRIMITIVES)[number];

export type ProtocolType =
  | { readonly kind: 'primitive'; readonly name: Primitive }
  | { readonly kind: 'protocol'; readonly name: string }
  | {
      readonly kind: 'function';
      readonly parameters: readonly ProtocolType[];
      readonly result: ProtocolType;
    };

const MAX_LENGTH = 1000;
const MAX_DEPTH = 32;

/** Parses a type expression. Returns a fault with a message when the text is invalid. */
export function readType(
  text: string,
): ProtocolType | { readonly kind: 'fault'; readonly message: string } {
  try {
    if (text.length > MAX_LENGTH)
      throw new Fault(`the type is longer than ${MAX_LENGTH} characters`);
    const reader = new Reader(text);
    const type = reader.type(0);
    reader.end();
    return type;
  } catch (error) {
    if (error instanceof Fault) return { kind: 'fault', message: error.message };
    throw error;
  }
}

export function typeToText(type: ProtocolType): string {
  if (type.kind !== 'function') return type.name;
  const result =
    type.result.kind === 'primitive' && type.result.name === 'void'
      ? ''
      : `: ${typeToText(type.result)}`;
  return `fn(${type.parameters.map(typeToText).join(', ')})${result}`;
}

class Fault extends Error {}

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(/[\p{ID_Start}_][\p{ID_Continue}.]*|[^\s]/gu) ?? [];
  }

  type(depth: number): ProtocolType {
    if (depth > MAX_DEPTH) throw new Fault(`types are nested more than ${MAX_DEPTH} levels deep`);
    const word = this.#take('a type');
    if (word === 'fn' && this.#peek() === '(') return this.#function(depth);
    const primitive = PRIMITIVES.find((one) => one === word);
    if (primitive !== undefined) return { kind: 'primitive', name: primitive };
    if (isWord(word)) return { kind: 'protocol', name: word };
    throw new Fault(`expected a type, found '${word}'`);
  }

  end(): void {
    const rest = this.#peek();
    if (rest !== undefined) throw new Fault(`expected end of input, found '${rest}'`);
  }

  #function(depth: number): ProtocolType {
    const parameters: ProtocolType[] = [];
    this.#expect('(');
    if (this.#peek() !== ')') {
      parameters.push(this.type(depth + 1));
      while (this.#peek() === ',') {
        this.#expect(',');
        parameters.push(this.type(depth + 1));
      }
    }
    this.#expect(')');
    if (this.#peek() !== ':')
      return { kind: 'function', parameters, result: { kind: 'primitive', name: 'void' } };
    this.#expect(':');
    return { kind: 'function', parameters, result: this.type(depth + 1) };
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #take(wanted: string): string {
    const token = this.#peek();
    if (token === undefined) throw new Fault(`expected ${wanted}, found end of input`);
    this.#at += 1;
    return token;
  }

  #expect(token: string): void {
    const found = this.#take(`'${token}'`);
    if (found !== token) throw new Fault(`expected '${token}', found '${found}'`);
  }
}

import { show } from '@temper/core/policy';

/**
 * Reads the reply of a script: whole lists, finite numbers, known words. Nothing is converted that is of
 * another type: `null` is not 0, and `'OK'` is no list.
 */
export class ReplyReader {
  readonly #script: string;

  /** @param script - names the script in errors */
  constructor(script: string) {
    this.#script = script;
  }

  /** @throws {TypeError} unless it is a list of at least so many values */
  list(reply: unknown, length: number): readonly unknown[] {
    if (Array.isArray(reply) && reply.length >= length) return reply;
    throw this.#wrong(`a list of ${length} values or more`, reply);
  }

  /** Both clients return integers as numbers, or as text or `bigint` when they are set up so. */
  number(value: unknown): number {
    const isText = typeof value === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value);
    const number = isText || typeof value === 'bigint' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
    throw this.#wrong('a finite number', value);
  }

  text(value: unknown): string {
    if (typeof value === 'string') return value;
    // A client may be set up to return bytes.
    if (value instanceof Uint8Array) return new TextDecoder().decode(value);
    throw this.#wrong('text', value);
  }

  word<W extends string>(value: unknown, words: readonly W[]): W {
    const text = this.text(value) as W;
    if (words.includes(text)) return text;
    throw this.#wrong(`one of ${words.join(', ')}`, value);
  }

  #wrong(must: string, value: unknown): TypeError {
    return new TypeError(
      `The reply to the script '${this.#script}' must have ${must}, got ${show(value)}.`,
    );
  }
}

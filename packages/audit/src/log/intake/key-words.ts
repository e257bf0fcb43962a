/** Longest key of which the words are read, in UTF-16 code units; of a longer one only the end counts. */
const MAX_KEY = 256;
/** Most words that are joined to compare them with a name, such as `social security number`. */
const MAX_JOINED = 4;

/**
 * Words that may follow a name and say that the value is about it: `tokenCount`, `passwordChangedAt`.
 * Such a key is not matched.
 */
export const ABOUT_WORDS: readonly string[] = [
  'age',
  'algorithm',
  'at',
  'attempt',
  'attempts',
  'changed',
  'class',
  'count',
  'created',
  'endpoint',
  'expired',
  'expires',
  'expiration',
  'expiry',
  'failures',
  'format',
  'in',
  'issuer',
  'kind',
  'length',
  'limit',
  'method',
  'name',
  'policy',
  'provider',
  'rate',
  'required',
  'rotated',
  'rotation',
  'seconds',
  'state',
  'status',
  'strength',
  'ttl',
  'type',
  'updated',
  'usage',
  'used',
  'version',
];

/** Words that may precede a plural and say that the value is a number of them: `promptTokens`. */
export const NUMBER_WORDS: readonly string[] = [
  'cached',
  'completion',
  'input',
  'max',
  'min',
  'number',
  'of',
  'output',
  'prompt',
  'reasoning',
  'remaining',
  'total',
  'used',
];

const ABOUT: ReadonlySet<string> = new Set(ABOUT_WORDS);
const NUMBERS: ReadonlySet<string> = new Set(NUMBER_WORDS);

/**
 * The words of a key in any style: `newPassword`, `DB_PASSWORD`, `x-api-key`, `user[password]`,
 * `APIKey`, `user%5Bpassword%5D`, in lower case. Digits are words of their own.
 */
export function wordsOf(key: string): readonly string[] {
  return (
    key
      .slice(-MAX_KEY)
      .normalize('NFKC')
      .replaceAll(/%5[bd]/gi, ' ')
      .match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+|\p{N}+/gu)
      ?.map((word) => word.toLowerCase()) ?? []
  );
}

/** How a key matches a name: it is the name, or has the words of the name among others. */
export interface KeyMatch<T> {
  readonly value: T;
  readonly whole: boolean;
}

/** Finds the names that a key contains, word by word. The name added first wins. */
export class KeyMatcher<T> {
  readonly #names: Map<string, { readonly value: T; readonly rank: number }> = new Map();
  readonly #ends: { readonly end: string; readonly value: T; readonly rank: number }[] = [];

  /**
   * @param name - in any style, since only its words count; with a leading `*` it also matches the end
   *   of a word: `*password` matches `userpassword`
   */
  add(name: string, value: T): void {
    const joined = wordsOf(name).join('');
    const rank = this.#names.size;
    if (name.startsWith('*')) this.#ends.push({ end: joined, value, rank });
    if (!this.#names.has(joined)) this.#names.set(joined, { value, rank });
  }

  /** The name that the key contains; undefined if there is none. */
  match(key: string): KeyMatch<T> | undefined {
    const words = wordsOf(key);
    const whole = this.#names.get(words.join(''));
    if (whole !== undefined) return { value: whole.value, whole: true };
    let best: { readonly value: T; readonly rank: number } | undefined;
    for (let start = 0; start < words.length; start++) {
      let joined = '';
      for (let end = start; end < Math.min(words.length, start + MAX_JOINED); end++) {
        joined += words[end];
        const found = this.#named(joined, end === start);
        if (found === undefined || isAbout(words, start, end, joined)) continue;
        if (best === undefined || found.rank < best.rank) best = found;
      }
    }
    return best && { value: best.value, whole: false };
  }

  #named(
    joined: string,
    isWord: boolean,
  ): { readonly value: T; readonly rank: number } | undefined {
    const found = this.#names.get(joined);
    return found ?? (isWord ? this.#ends.find(({ end }) => joined.endsWith(end)) : undefined);
  }
}

/** Whether the words around those from `start` to `end` say that the value is not the thing itself. */
function isAbout(words: readonly string[], start: number, end: number, joined: string): boolean {
  const after = words.slice(end + 1);
  if (after.length > 0 && after.every((word) => ABOUT.has(word))) return true;
  const before = words[start - 1];
  return joined.endsWith('s') && before !== undefined && NUMBERS.has(before);
}

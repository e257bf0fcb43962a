/** A place in a text: offset in UTF-16 units from 0, line and column from 1. */
export interface Position {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** A stretch of a text, in UTF-16 units: `start` is in it, `end` is the first after it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Turns offsets of one text into lines and columns, by a table of line starts. */
export class LineIndex {
  readonly length: number;
  readonly #starts: readonly number[];

  constructor(text: string) {
    this.length = text.length;
    const starts = [0];
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
      starts.push(at + 1);
    }
    this.#starts = starts;
  }

  /** Number of lines; a text that ends in a newline has an empty last line. */
  get lineCount(): number {
    return this.#starts.length;
  }

  /** The position of `offset`, which is brought into the text first. */
  positionAt(offset: number): Position {
    const inside = Math.max(0, Math.min(Math.trunc(offset) || 0, this.length));
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= inside) low = middle;
      else high = middle - 1;
    }
    return { offset: inside, line: low + 1, column: inside - (this.#starts[low] as number) + 1 };
  }
}

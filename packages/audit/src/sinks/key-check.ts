import { lineSequence, lineTimestamp } from '../chain/line-fields.ts';

/** A line as a database keeps it. */
export interface KeyedLine {
  /** The sequence under which it is kept. */
  readonly key: number;
  readonly line: string;
  /** The time under which it is kept, where there is one. */
  readonly at?: string;
}

/**
 * Holds what a database keeps lines under against what the lines say. A line that continues the one
 * before it but is kept under another number or time would be missed by queries for ranges, and by
 * nobody else. Lines in disorder are left for verification to name.
 */
export class KeyCheck {
  readonly #step: 1 | -1;
  #previous: number | undefined;

  /** @param reverse - whether the lines come last one first */
  constructor(reverse: boolean) {
    this.#step = reverse ? -1 : 1;
  }

  /** How many of `rows` are kept where they belong, before the first that is not. */
  validCount(rows: readonly KeyedLine[]): number {
    const misfiled = rows.findIndex((row) => this.#isMisfiled(row));
    return misfiled < 0 ? rows.length : misfiled;
  }

  #isMisfiled({ key, line, at }: KeyedLine): boolean {
    const sequence = lineSequence(line);
    const inOrder =
      sequence !== undefined &&
      this.#previous !== undefined &&
      sequence === this.#previous + this.#step;
    this.#previous = sequence;
    return inOrder && (sequence !== key || (at !== undefined && at !== lineTimestamp(line)));
  }
}

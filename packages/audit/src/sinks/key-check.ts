import { lineSequence, lineTimestamp } from '../chain/line-fields.ts';

/** A line and the keys under which a database stores it. */
export interface KeyedLine {
  /** Sequence column. */
  readonly key: number;
  readonly line: string;
  /** Time column, if the database has one. */
  readonly at?: string;
}

/**
 * Compares the key columns of a database with the fields of its lines. A line that continues the
 * previous one but is stored under another sequence or time would be missed by range queries only.
 * Lines out of order are left to verification.
 */
export class KeyCheck {
  readonly #step: 1 | -1;
  #previous: number | undefined;

  /** @param reverse whether the lines are in descending order */
  constructor(reverse: boolean) {
    this.#step = reverse ? -1 : 1;
  }

  /** Number of rows before the first whose keys do not match its line. */
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

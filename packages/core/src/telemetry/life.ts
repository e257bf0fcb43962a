import type { Attributes, Cell } from './definitions.ts';

/** The series of the policies of one name, which end together. */
export class Life {
  /** The attributes that all series of the policies have. */
  readonly base: Attributes;
  /** Number of the last collection before it began. */
  readonly bornIn: number;
  /**
   * Wall-clock time in milliseconds from which its series count, as earlier series of this name may have
   * been dropped then; `undefined` for the start of the process.
   */
  readonly since: number | undefined;
  /** Keys of its series, in whichever metrics they are; `undefined` while there are none. */
  keys: Set<string> | undefined;
  /** The series of each `error.type` that is counted apart, by metric. */
  errorCells: Map<string, Map<string, Cell>> | undefined;
  /** Living policies. */
  owners = 0;
  /** Whether all readers have exported the final values, so that the series are no longer shown. */
  hasEnded = false;
  /** Number of the last collection before the last policy was disposed of. */
  endedIn = 0;

  constructor(base: Attributes, bornIn: number, since: number | undefined) {
    this.base = base;
    this.bornIn = bornIn;
    this.since = since;
  }

  /** It has a series with this key. */
  note(key: string): void {
    this.keys ??= new Set();
    this.keys.add(key);
  }
}

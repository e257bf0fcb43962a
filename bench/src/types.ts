/**
 * One row of a table: a way to do the work that its group names.
 *
 * Each file `bench/src/<package>/*.ts` that imports this type and exports arrays of rows is a suite,
 * found by its place and run in processes of its own; what it does on import (start an SDK, open a
 * file) harms no other.
 */
export interface Bench {
  /**
   * Who does the work: `floor`, `temper`, or a peer's name, with a variant in words where needed
   * (`temper, signal read`). Names that begin with `temper` are ours.
   */
  readonly name: string;
  /** The work. Rows of one group are measured in turns and compared with its floor. */
  readonly group: string;
  /** Does the work once. A promise is awaited before the next call. */
  readonly fn: () => unknown;
  /** The least code that does the job: the 1.00 of its group. The first row, when none is marked. */
  readonly floor?: boolean;
  /** Most that we allow ourselves, as a ratio to {@link against}. Checked and shown, never enforced. */
  readonly aim?: number;
  /** Name of the row of this group that the aim is measured by. @defaultValue the floor */
  readonly against?: string;
  /** How many operations one call of {@link fn} does, where a call is a batch. @defaultValue 1 */
  readonly operations?: number;
  /** Before the first call, after import. */
  readonly setup?: () => void | Promise<void>;
  /** After the last call. */
  readonly teardown?: () => void | Promise<void>;
}

/** A row that is a plain figure: bytes per key, timers, milliseconds of one scrape. */
export interface Measure {
  readonly name: string;
  readonly group: string;
  /** What the figure counts: `bytes/key`, `ms`. */
  readonly unit: string;
  /** Takes the figure, once per process. `globalThis.gc` is there. */
  readonly measure: () => number | Promise<number>;
  /** Most that we allow ourselves, in {@link unit}. */
  readonly aim?: number;
  /** Takes seconds, and is left out of a short run. @defaultValue false */
  readonly long?: boolean;
}

/** A row of a suite: the suite's path under `bench/src` without extension, and the row's name. */
export interface RowName {
  readonly suite: string;
  readonly name: string;
}

/**
 * What one row costs more than another that had to run in another process, as an SDK is registered
 * for a whole process: the difference of their ratios to equal floors.
 */
export interface Overhead {
  readonly title: string;
  readonly of: RowName;
  readonly over: RowName;
  /** Most that we allow ourselves, in nanoseconds. */
  readonly aimNs?: number;
}

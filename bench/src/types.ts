/**
 * One row of a table: one implementation of the work of its group.
 *
 * Each file `bench/src/<package>/*.ts` that imports this type and exports arrays of rows is a suite. It
 * is found by its path and runs in separate processes, so side effects of its import do not affect
 * other suites.
 */
export interface Bench {
  /**
   * The implementation: `floor`, `temper` or the name of another library, with an optional variant
   * (`temper, signal read`).
   */
  readonly name: string;
  /** The work. Rows of one group are measured in turns and compared with its floor. */
  readonly group: string;
  /** Does the work once. A promise is awaited before the next call. */
  readonly fn: () => unknown;
  /**
   * Marks the row whose ratio is 1.00: the fastest correct code for the work. The report says so where
   * another row of the group is faster. @defaultValue the first row
   */
  readonly floor?: boolean;
  /**
   * Marks a floor that does other work than its group: a unit of comparison, than which other rows may be
   * faster.
   *
   * @defaultValue false
   */
  readonly isUnit?: boolean;
  /** Highest accepted ratio to {@link against}. Reported, not enforced. */
  readonly aim?: number;
  /** Name of the row in this group that the aim refers to. @defaultValue the floor */
  readonly against?: string;
  /** Number of operations per call of {@link fn}. @defaultValue 1 */
  readonly operations?: number;
  /** Called after the import and before the first call. */
  readonly setup?: () => void | Promise<void>;
  /** Called after the last call. */
  readonly teardown?: () => void | Promise<void>;
}

/** A single figure, such as bytes per key or milliseconds per scrape. */
export interface Measure {
  readonly name: string;
  readonly group: string;
  /** Unit of the figure: `bytes/key`, `ms`. */
  readonly unit: string;
  /** Measures the figure, once per process. `globalThis.gc` is available. */
  readonly measure: () => number | Promise<number>;
  /** Highest accepted value, in {@link unit}, or ratio to {@link against}. */
  readonly aim?: number;
  /** Name of the figure in this group that the aim is a ratio to. @defaultValue the aim is in {@link unit} */
  readonly against?: string;
  /** Whether the measurement takes seconds and is skipped in a short run. @defaultValue false */
  readonly long?: boolean;
}

/** A row of a suite: the suite's path under `bench/src` without extension, and the row's name. */
export interface RowName {
  readonly suite: string;
  readonly name: string;
}

/**
 * The overhead of one row over another that must run in a different process, because an SDK is
 * registered per process: the difference of their ratios to equal floors.
 */
export interface Overhead {
  readonly title: string;
  readonly of: RowName;
  readonly over: RowName;
  /** Highest accepted overhead, in nanoseconds. */
  readonly aimNs?: number;
}

import type { Cell, Run } from './run.ts';
/** All runs of one cell of the table. */
export interface CellResult extends Cell {
    runs: number;
    /** Runs that lost a request. */
    losing: number;
    sent: number;
    lost: number;
    /** Why requests were lost, each reason with its count. */
    reasons: Record<string, number>;
    /** Fewest requests in flight at SIGTERM. */
    inFlight: number;
    /** Longest time from SIGTERM to the end of the process, in milliseconds. */
    endedMs: number;
    /** Runs whose process had to be killed. */
    killed: number;
}
/** What `pnpm drain:table` has measured. */
export interface Results {
    node: string;
    cpus: number;
    /** Highest load average of the machine over one minute during the runs. */
    load: number;
    cells: CellResult[];
    /** Written by hand: what the counts alone do not say. */
    note?: string;
}
/** The cells of the table: Temper with every framework, its peers with the servers of Node. */
export declare function cellsOf(everything: boolean): Cell[];
/** Adds a run to the results. */
export declare function addRun(results: Results, cell: Cell, run: Run): void;
/** The runs of a cell so far. */
export declare function findCell({ cells }: Results, cell: Cell): CellResult | undefined;
export declare function readResults(): Results;
export declare function writeResults(results: Results): void;
//# sourceMappingURL=results.d.ts.map
import { readFileSync, writeFileSync } from 'node:fs';
import { PROTOCOL_NAMES, ROWS } from './protocols.ts';
import type { Cell, Run } from './run.ts';
import { PEERS } from './tools.ts';

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

const FILE = new URL('../results.json', import.meta.url);

/** The cells of the table: Temper with every framework, its peers with the servers of Node. */
export function cellsOf(everything: boolean): Cell[] {
  return ['@temper/shutdown', ...PEERS].flatMap((tool) =>
    Object.entries(ROWS).flatMap(([row, { lacks }]) =>
      PROTOCOL_NAMES.filter(
        (protocol) =>
          !lacks.includes(protocol) &&
          (everything || tool === '@temper/shutdown' || row === 'Node'),
      ).map((protocol) => ({ tool, row, protocol })),
    ),
  );
}

/** Adds a run to the results. */
export function addRun(results: Results, cell: Cell, run: Run): void {
  let found = findCell(results, cell);
  if (found === undefined) {
    const counts = { runs: 0, losing: 0, sent: 0, lost: 0, killed: 0, endedMs: 0 };
    found = { ...cell, ...counts, reasons: {}, inFlight: Number.POSITIVE_INFINITY };
    results.cells.push(found);
  }
  found.runs++;
  found.losing += run.lost > 0 ? 1 : 0;
  found.sent += run.sent;
  found.lost += run.lost;
  found.killed += run.end === 'SIGKILL' ? 1 : 0;
  found.inFlight = Math.min(found.inFlight, run.inFlight);
  found.endedMs = Math.max(found.endedMs, run.endedMs);
  for (const [reason, count] of Object.entries(run.reasons)) {
    found.reasons[reason] = (found.reasons[reason] ?? 0) + count;
  }
}

/** The runs of a cell so far. */
export function findCell({ cells }: Results, cell: Cell): CellResult | undefined {
  const { tool, row, protocol } = cell;
  return cells.find((each) => each.tool === tool && each.row === row && each.protocol === protocol);
}

export function readResults(): Results {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Results;
}

export function writeResults(results: Results): void {
  writeFileSync(FILE, `${JSON.stringify(results, undefined, 2)}\n`);
}

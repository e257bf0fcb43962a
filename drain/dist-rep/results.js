import { readFileSync, writeFileSync } from 'node:fs';
import { PROTOCOL_NAMES, ROWS } from './protocols.js';
import { PEERS } from './tools.js';
const FILE = new URL('../results.json', import.meta.url);
/** The cells of the table: Temper with every framework, its peers with the servers of Node. */
export function cellsOf(everything) {
    return ['@temper/shutdown', ...PEERS].flatMap((tool) => Object.entries(ROWS).flatMap(([row, { lacks }]) => PROTOCOL_NAMES.filter((protocol) => !lacks.includes(protocol) &&
        (everything || tool === '@temper/shutdown' || row === 'Node')).map((protocol) => ({ tool, row, protocol }))));
}
/** Adds a run to the results. */
export function addRun(results, cell, run) {
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
export function findCell({ cells }, cell) {
    const { tool, row, protocol } = cell;
    return cells.find((each) => each.tool === tool && each.row === row && each.protocol === protocol);
}
export function readResults() {
    return JSON.parse(readFileSync(FILE, 'utf8'));
}
export function writeResults(results) {
    writeFileSync(FILE, `${JSON.stringify(results, undefined, 2)}\n`);
}
//# sourceMappingURL=results.js.map
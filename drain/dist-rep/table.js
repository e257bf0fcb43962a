// Measures the cells of the table and writes them to docs/drain.md:
//   node dist/table.js [--runs 10] [--everything] [--minutes 90] [--tool NAME] [--row NAME] [--page]
// Keeps what results.json has, and adds the runs that are missing, one of each cell after the other.
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { buildNext } from './next-build.js';
import { pageOf } from './page.js';
import { addRun, cellsOf, findCell, readResults, writeResults } from './results.js';
import { run } from './run.js';
const { values } = parseArgs({
    options: {
        runs: { type: 'string', default: '10' },
        minutes: { type: 'string', default: 'Infinity' },
        everything: { type: 'boolean', default: false },
        tool: { type: 'string' },
        row: { type: 'string' },
        page: { type: 'boolean', default: false },
    },
});
const until = performance.now() + Number(values.minutes) * 60_000;
const node = process.versions.node;
let results = { node, cpus: availableParallelism(), load: 0, cells: [] };
// Figures of another version are measured anew.
if (existsSync(new URL('../results.json', import.meta.url)) && readResults().node === node) {
    results = readResults();
}
const cells = cellsOf(values.everything).filter(({ tool, row }) => tool === (values.tool ?? tool) && row === (values.row ?? row));
if (!values.page)
    buildNext();
for (let round = 1; round <= Number(values.runs) && !values.page; round++) {
    for (const cell of cells) {
        if (performance.now() > until)
            break;
        if ((findCell(results, cell)?.runs ?? 0) >= round)
            continue;
        const result = await run(cell, 'reconnect');
        addRun(results, cell, result);
        results.load = Math.max(results.load, loadavg()[0] ?? 0);
        writeResults(results);
        console.log(`${round} ${cell.tool} ${cell.row} ${cell.protocol}: ${JSON.stringify(result)}`);
    }
}
writeFileSync(new URL('../../docs/drain.md', import.meta.url), pageOf(results));
//# sourceMappingURL=table.js.map
// pnpm simulate [--seeds 1000] [--from 1]: simulates the scenario of each seed; checks safety and liveness.
// --write: keeps what was tried for docs/reliability.md.
// pnpm simulate --seed 17: one seed, and prints its scenario.
// pnpm simulate --scenario '{…}': a scenario that was printed, and writes its plot to simulation.svg.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { writeDocument } from './document.ts';
import { FIRST_SEEDS, readResults, writeResults } from './results.ts';
import { drawScenario, run, type Scenario } from './scenario.ts';
import { search } from './search.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    scenario: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

if (values.scenario !== undefined || values.seed !== undefined) {
  const scenario =
    values.scenario === undefined
      ? drawScenario(Number(values.seed))
      : (JSON.parse(values.scenario) as Scenario);
  const { report, problems } = await run(scenario);
  const { before, during, after, recoveryMs } = report;
  console.log(JSON.stringify(scenario));
  console.log({ before, during, after, recoveryMs, problems });
  writeFileSync(
    'simulation.svg',
    report.toSvg(scenario.layers.map(({ kind }) => kind).join(' > ')),
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
} else {
  const tally = await search({
    from: Number(values.from),
    seeds: Number(values.seeds),
    onFailure: ({ scenario, problems, smallest, replayed }) => {
      console.log(`seed ${scenario.seed}: ${problems.join('; ')}`);
      console.log(`  smallest: pnpm simulate --scenario '${JSON.stringify(smallest)}'`);
      if (!replayed) console.log('  its trace is another one when it is run again');
    },
  });
  console.log(
    `${tally.seeds} seeds, ${tally.refused} refused at construction, ${tally.calls} calls, ${tally.requests} requests, ${tally.failures} failures`,
  );
  console.log(`pipelines with each policy: ${JSON.stringify(tally.kinds)}`);
  console.log(`reached: ${JSON.stringify(tally.reached)}`);
  if (values.write) {
    const first = await search({ from: 1, seeds: FIRST_SEEDS, onFailure: () => {} });
    writeResults({ ...readResults(), search: { all: tally, first } });
    writeDocument();
  }
  process.exitCode = tally.failures === 0 ? 0 : 1;
}

import { SCENARIOS } from '../scenarios/index.ts';

/** Prints the name and description of each scenario, or the full list as JSON. */
export function listScenarios(json: boolean): void {
  if (json) {
    const list = SCENARIOS.map(({ name, title, about, phases, promises }) => ({
      name,
      title,
      about,
      seconds: phases.reduce((sum, phase) => sum + phase.seconds, 0),
      promises: promises.map(({ promise }) => promise),
    }));
    process.stdout.write(`${JSON.stringify(list)}\n`);
    return;
  }
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
  for (const { name, about } of SCENARIOS) {
    process.stdout.write(`${name.padEnd(width)}  ${about}\n`);
  }
}

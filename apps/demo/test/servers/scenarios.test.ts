import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../src/scenarios/index.ts';
import type { ScenarioResult } from '../../src/scenarios/scenario.ts';
import { alive, runDemo } from './demo-process.ts';

/** Times that each scenario runs. Several find what fails once in a while. */
const ROUNDS = Number(process.env.TEMPER_SCENARIO_ROUNDS ?? 1);
/** Concurrent scenarios. Each is several processes, and test machines have few cores. */
const AT_A_TIME = 2;
const LIMIT_SECONDS = 40;

interface Run {
  readonly name: string;
  readonly code: number | null;
  readonly result: ScenarioResult | undefined;
  readonly broken: readonly string[];
  readonly left: readonly number[];
  readonly stderr: string;
}

async function runOnce(name: string): Promise<Run> {
  const demo = await runDemo(['--scenario', name, '--once', '--json']);
  let seen: readonly number[] = [];
  const looking = setInterval(() => {
    seen = [...new Set([...seen, ...demo.descendants()])];
  }, 1_000);
  const { code } = await demo.exited;
  clearInterval(looking);
  const line = demo.stdout().trimEnd().split('\n').at(-1) ?? '';
  const result = line.startsWith('{') ? (JSON.parse(line) as ScenarioResult) : undefined;
  const broken = (result?.promises ?? [])
    .filter(({ held }) => !held)
    .map(({ promise, shown }) => `${promise}: ${shown}`);
  return { name, code, result, broken, left: seen.filter(alive), stderr: demo.stderr() };
}

describe('every scenario', () => {
  it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
    'keeps its promises within 40 s and leaves no processes (round %i)',
    async () => {
      const waiting = SCENARIOS.map(({ name }) => name);
      const runs: Run[] = [];
      const worker = async (): Promise<void> => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
          runs.push(await runOnce(name));
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, worker));
      for (const { name, code, result, broken, left, stderr } of runs) {
        expect(broken, name).toEqual([]);
        expect(result?.ok, `${name}: ${stderr}`).toBe(true);
        expect(code, name).toBe(0);
        expect(result?.seconds, name).toBeLessThan(LIMIT_SECONDS);
        expect(left, name).toEqual([]);
      }
      expect(runs).toHaveLength(SCENARIOS.length);
    },
    240_000,
  );
});

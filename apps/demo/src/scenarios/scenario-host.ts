import { messageOf } from '@temper/core/policy';
import type { Demo } from '../demo.ts';
import { runScenario } from './runner.ts';
import type { Scenario, ScenarioResult } from './scenario.ts';

/** The running scenario. */
interface RunningScenario {
  readonly name: string;
  readonly phase: string | undefined;
  readonly phaseIndex: number;
  readonly startedAt: number;
}

/** Progress and result of a scenario, as published on the event stream. */
type ScenarioNews =
  | {
      readonly kind: 'phase';
      readonly scenario: string;
      readonly phase: string;
      readonly about: string;
      readonly index: number;
      readonly seconds: number;
    }
  | { readonly kind: 'result'; readonly result: ScenarioResult }
  | { readonly kind: 'failed'; readonly scenario: string; readonly message: string };

/** Runs scenarios on the running service, one at a time. */
export class ScenarioHost {
  readonly #demo: Demo;
  readonly #tell: (news: ScenarioNews) => void;
  readonly #results = new Map<string, ScenarioResult>();
  readonly #stop = new AbortController();
  #running: RunningScenario | undefined;
  #work: Promise<void> | undefined;

  constructor(demo: Demo, tell: (news: ScenarioNews) => void) {
    this.#demo = demo;
    this.#tell = tell;
  }

  get running(): RunningScenario | undefined {
    return this.#running;
  }

  /** The last result of a scenario in this process. */
  resultOf(name: string): ScenarioResult | undefined {
    return this.#results.get(name);
  }

  /** Starts a scenario. @returns false when one is already running or the host is closed */
  begin(scenario: Scenario): boolean {
    if (this.#running !== undefined || this.#stop.signal.aborted) return false;
    this.#running = {
      name: scenario.name,
      phase: undefined,
      phaseIndex: -1,
      startedAt: Date.now(),
    };
    this.#work = this.#run(scenario).finally(() => {
      this.#running = undefined;
    });
    return true;
  }

  /** Aborts the running scenario and accepts no more. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('The service is shutting down.'));
    await this.#work;
  }

  async #run(scenario: Scenario): Promise<void> {
    try {
      const result = await runScenario(scenario, this.#demo, {
        signal: this.#stop.signal,
        onPhase: ({ name, about, seconds }, index) => {
          const startedAt = this.#running?.startedAt ?? Date.now();
          this.#running = { name: scenario.name, phase: name, phaseIndex: index, startedAt };
          this.#tell({
            kind: 'phase',
            scenario: scenario.name,
            phase: name,
            about,
            index,
            seconds,
          });
        },
      });
      this.#results.set(scenario.name, result);
      this.#tell({ kind: 'result', result });
    } catch (error) {
      this.#tell({ kind: 'failed', scenario: scenario.name, message: messageOf(error) });
    }
  }
}

import type { HardeningOverrides } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import type { FaultName } from '../faults/fault.ts';
import type { PhaseResult } from '../load/tally.ts';
import type { Load } from '../load/traffic.ts';

/** One phase of a scenario. */
export interface Phase {
  readonly name: string;
  /** A one-sentence description. */
  readonly about: string;
  readonly seconds: number;
  /** Faults that are on during the phase; all others are off. @defaultValue none */
  readonly faults?: readonly FaultName[];
  /** Background load, in calls per second. */
  readonly load: Load;
}

/** A state change of a circuit breaker during a scenario. */
export interface TransitionRecord {
  readonly breaker: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** Time since the start of the scenario, in milliseconds. */
  readonly atMs: number;
  readonly phase: string;
}

/** The measurements of a scenario, from which its promises are checked. */
export interface ScenarioRecord {
  readonly phases: readonly PhaseResult[];
  readonly transitions: readonly TransitionRecord[];
  /** Measurements of the scenario's observers, by name. */
  readonly measured: Readonly<Record<string, number | string | boolean>>;
}

/** A promise of the service and the check that decides whether it was kept. */
export interface ScenarioPromise {
  readonly promise: string;
  /** Whether the promise was kept, with the figures that show it. */
  readonly judge: (record: ScenarioRecord) => { readonly held: boolean; readonly shown: string };
}

/** Takes additional measurements during one run. */
export interface ScenarioObserver {
  /** Called at the start of each phase. */
  phase?(name: string): void | Promise<void>;
  /** Returns the measurements. Called after the last call has ended. */
  finish(): Promise<Readonly<Record<string, number | string | boolean>>>;
}

/** A demonstration as data: faults, load, and what the service promises in spite of them. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly phases: readonly Phase[];
  readonly promises: readonly ScenarioPromise[];
  /** Overrides of the demo's settings, applied only when the scenario runs in its own process. */
  readonly settings?: HardeningOverrides;
  /** Whether the audit log is stored on disk. @defaultValue false */
  readonly durableAudit?: boolean;
  readonly observe?: (demo: Demo) => readonly ScenarioObserver[];
}

/** The result of one run, as `--json` prints it. */
export interface ScenarioResult extends ScenarioRecord {
  readonly scenario: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** Settings that differ from the defaults, such as shortened open durations. */
  readonly settings: readonly {
    readonly setting: string;
    readonly value: number;
    readonly defaultValue: number;
  }[];
  readonly promises: readonly {
    readonly promise: string;
    readonly held: boolean;
    readonly shown: string;
  }[];
}

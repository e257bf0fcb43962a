import type { HardeningOverrides } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import type { FaultName } from '../faults/fault.ts';
import type { PhaseResult } from '../load/tally.ts';
import type { Load } from '../load/traffic.ts';

/** A stretch of a scenario. */
export interface Phase {
  readonly name: string;
  /** What happens in it, for people. */
  readonly about: string;
  readonly seconds: number;
  /** Faults that are on; all others are off. @defaultValue none */
  readonly faults?: readonly FaultName[];
  /** Ordinary work, per second. */
  readonly load: Load;
}

/** A breaker's change of state during a scenario. */
export interface TransitionRecord {
  readonly breaker: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** Since the scenario began. */
  readonly atMs: number;
  readonly phase: string;
}

/** What a scenario measured, for its promises to judge. */
export interface ScenarioRecord {
  readonly phases: readonly PhaseResult[];
  readonly transitions: readonly TransitionRecord[];
  /** What the scenario's own observers measured, by name. */
  readonly measured: Readonly<Record<string, number | string | boolean>>;
}

/** Something that the service promises, and how it is seen. */
export interface ScenarioPromise {
  readonly promise: string;
  /** Whether it was held, and the figures that show it. */
  readonly judge: (record: ScenarioRecord) => { readonly held: boolean; readonly shown: string };
}

/** Watches one run from beside; what it found is read at the end. */
export interface ScenarioObserver {
  /** Told when a phase has begun. */
  phase?(name: string): void | Promise<void>;
  /** Reads what was found, after the last call has ended. */
  finish(): Promise<Readonly<Record<string, number | string | boolean>>>;
}

/** A demonstration as data: what goes wrong, under which load, and what is promised all the same. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly phases: readonly Phase[];
  readonly promises: readonly ScenarioPromise[];
  /** What differs from the demo's settings, where the scenario has a process of its own. */
  readonly settings?: HardeningOverrides;
  /** Whether the audit log is kept on the disk. @defaultValue false */
  readonly durableAudit?: boolean;
  readonly observe?: (demo: Demo) => readonly ScenarioObserver[];
}

/** The result of one run, as `--json` prints it. */
export interface ScenarioResult extends ScenarioRecord {
  readonly scenario: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** Settings that are not the report's: shortened, so that an outage can be watched. */
  readonly settings: readonly {
    readonly setting: string;
    readonly value: number;
    readonly report: number;
  }[];
  readonly promises: readonly {
    readonly promise: string;
    readonly held: boolean;
    readonly shown: string;
  }[];
}

import type { Episodes } from '../episodes.ts';
import type { Evidence } from '../evidence.ts';
import type { TuningSettings } from '../settings.ts';

/** What a rule looks at. */
export interface RuleInput {
  readonly evidence: Evidence;
  readonly episodes: Episodes;
  readonly settings: TuningSettings;
  /** The value of the setting in force. */
  readonly value: number;
  /** Calls that one extra try must rescue to be worth its load. */
  readonly minBenefit: number;
  /** Tries beyond the first per call that the dependency may get. */
  readonly maxExtraLoad: number;
}

/** Where a setting should go, and why. */
interface Target {
  readonly target: number;
  readonly reason: string;
  readonly evidence: Readonly<Record<string, number>>;
}

/** What is missing to say anything. */
export interface Missing {
  readonly samples: number;
  readonly needed: number;
  /** Of what. */
  readonly of: string;
}

/** `undefined`: the setting is good as it is. */
export type Finding = Target | Missing | undefined;

export const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

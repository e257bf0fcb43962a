import { TUNING_SETTINGS, type TuningSetting } from '../setting-names.ts';
import { stepTowards, type TuningBounds } from '../settings.ts';
import { attemptsRule } from './attempts.ts';
import { openDurationRule, thresholdRule, throughputRule } from './breaker.ts';
import { delayRule } from './delay.ts';
import type { Finding, Missing, RuleInput } from './finding.ts';
import { hedgeRule } from './hedge.ts';
import { timeoutRule } from './timeout.ts';

/** A change that the observations speak for. */
export interface Proposal {
  readonly setting: TuningSetting;
  /** The value in force. */
  readonly from: number;
  /** The next value: a step towards {@link target}, within the bounds. */
  readonly to: number;
  /** Where the rule would go, by what is known now. */
  readonly target: number;
  readonly reason: string;
  /** The counts and figures that it rests on. */
  readonly evidence: Readonly<Record<string, number>>;
}

/** A setting of which too little is known. */
export interface Waiting extends Missing {
  readonly setting: TuningSetting;
}

/** What the rules find, in the order in which changes are made. */
export interface Findings {
  readonly proposals: readonly Proposal[];
  readonly waiting: readonly Waiting[];
}

const RULES: Readonly<Record<TuningSetting, (input: RuleInput) => Finding>> = {
  attemptTimeoutMs: timeoutRule,
  maxAttempts: attemptsRule,
  minimumThroughput: throughputRule,
  failureRateThreshold: thresholdRule,
  openDurationMs: openDurationRule,
  hedgeDelayMs: hedgeRule,
  initialDelayMs: delayRule,
};

/** Asks the rule of each setting that has bounds. */
export function findProposals(input: Omit<RuleInput, 'value'>, bounds: TuningBounds): Findings {
  const proposals: Proposal[] = [];
  const waiting: Waiting[] = [];
  for (const setting of TUNING_SETTINGS) {
    const value = input.settings[setting];
    const bound = bounds[setting];
    if (value === undefined || bound === undefined) continue;
    const finding = RULES[setting]({ ...input, value });
    if (finding === undefined) continue;
    if (!('target' in finding)) {
      waiting.push({ setting, ...finding });
      continue;
    }
    const to = stepTowards(setting, value, finding.target, bound);
    if (to === undefined) continue;
    const { reason, evidence } = finding;
    proposals.push({ setting, from: value, to, target: finding.target, reason, evidence });
  }
  return { proposals, waiting };
}

import { callsAgainstChance, wilson } from '../binomial.ts';
import { type Finding, percent, type RuleInput } from './finding.ts';

/** Tries that must have been seen to know the share that fails while all is well. */
const NEEDED = 1000;
/** Probability that chance alone fills a window of the least size with enough failures. */
const BY_CHANCE = 1e-6;
/** The threshold is at least so many times the usual share of failures. */
const ABOVE = 2;
/** A threshold above this would not open while half of the calls of an outage get through. */
const HIGHEST = 0.9;
/** Incidents that must have ended to judge how long a circuit stays open. */
const NEEDED_EPISODES = 8;
const FACTOR = 1.5;

/** The share of tries that fails while all is well, at most. */
function highestBase({ evidence }: RuleInput): number {
  return wilson(evidence.triesFailed, evidence.tries)[1];
}

/**
 * The calls that a window must hold before its failure rate is judged: so many that chance fills it with
 * enough failures once in a million at most, by the Chernoff bound, and no more, so that an outage is found
 * soon. Failures are taken for independent of each other.
 */
export function throughputRule(input: RuleInput): Finding {
  const { evidence, settings, value } = input;
  if (evidence.tries < NEEDED) {
    return { samples: Math.floor(evidence.tries), needed: NEEDED, of: 'tries' };
  }
  const base = highestBase(input);
  const threshold = settings.failureRateThreshold ?? 0.5;
  const calls = callsAgainstChance(threshold, base, BY_CHANCE);
  // A threshold below the usual is for the other rule.
  if (calls === Number.POSITIVE_INFINITY) return undefined;
  const tooMany = calls < value / FACTOR;
  if (calls <= value && !tooMany) return undefined;
  return {
    target: calls,
    reason: `with ${percent(evidence.triesFailed / evidence.tries)} of failures in calm, ${calls} calls keep chance from opening the circuit at ${percent(threshold)}`,
    evidence: { tries: evidence.tries, failed: evidence.triesFailed, highest: base, calls },
  };
}

/**
 * The failure rate at which a circuit opens: at least twice what fails while all is well. It is never
 * lowered: which share of failures is an incident is for the user to say.
 */
export function thresholdRule(input: RuleInput): Finding {
  const { evidence, value } = input;
  if (evidence.tries < NEEDED) {
    return { samples: Math.floor(evidence.tries), needed: NEEDED, of: 'tries' };
  }
  const base = highestBase(input);
  const least = Math.min(HIGHEST, ABOVE * base);
  if (least <= value) return undefined;
  return {
    target: least,
    reason: `${percent(evidence.triesFailed / evidence.tries)} of the tries fail while all is well`,
    evidence: { tries: evidence.tries, failed: evidence.triesFailed, highest: base },
  };
}

/**
 * How long a circuit stays open. When the first trial surely ends most incidents, they were over before it:
 * it comes sooner. When incidents take more than three openings, most trials are for nothing: they come
 * later. A sign test over incidents, and this package's own rule.
 */
export function openDurationRule({ episodes, value }: RuleInput): Finding {
  const { ended, firstTrial, openings } = episodes;
  if (ended < NEEDED_EPISODES) {
    return { samples: ended, needed: NEEDED_EPISODES, of: 'incidents' };
  }
  const facts = { incidents: ended, firstTrial, openings };
  if (wilson(firstTrial, ended, 1.96)[0] > 0.5) {
    return {
      target: value / FACTOR,
      reason: `${firstTrial} of ${ended} incidents were over at the first trial`,
      evidence: facts,
    };
  }
  if (openings / ended <= 3) return undefined;
  return {
    target: value * FACTOR,
    reason: `incidents take ${(openings / ended).toFixed(1)} openings`,
    evidence: facts,
  };
}

import { wilson } from '../binomial.ts';
import { MOST_ATTEMPTS } from '../evidence.ts';
import { type Finding, percent, type RuleInput } from './finding.ts';

/** Last attempts that must have been made to judge them. */
const NEEDED = 200;
/** Calls that must fail after the last attempt to make another one worth it. */
const EXHAUSTED = 0.001;

/**
 * The number of attempts: as many as rescue at least `minBenefit` of the calls that they are made for. The
 * last attempt goes when it surely rescues fewer; one more comes when the last one surely rescues as many,
 * calls still fail after it, and the load stays within `maxExtraLoad`. A single attempt stays one: a lower
 * bound of 2 keeps the second in sight.
 *
 * The bound of the load is the client's retry budget of "Handling Overload", Site Reliability Engineering,
 * 2016, chapter 21. That the marginal benefit decides is this package's own rule.
 */
export function attemptsRule(input: RuleInput): Finding {
  const { evidence, value, minBenefit, maxExtraLoad } = input;
  if (value > MOST_ATTEMPTS) return undefined;
  const last = evidence.attempts[value - 1];
  const first = evidence.attempts[0];
  if (last === undefined || first === undefined) return undefined;
  const { made, answered, fatal } = last;
  if (made < NEEDED) {
    return { samples: Math.floor(made), needed: NEEDED, of: `attempts of number ${value}` };
  }
  const [low, high] = wilson(answered, made);
  const facts = { attempts: made, answered };
  if (value > 1 && high < minBenefit) {
    return {
      target: value - 1,
      reason: `attempt ${value} rescues ${percent(answered / made)} of the calls that it is made for`,
      evidence: { ...facts, highest: high },
    };
  }
  const exhausted = made - answered - fatal;
  const [surelyExhausted] = wilson(exhausted, first.made);
  const extraLoad = evidence.extraLoad + exhausted / first.made;
  // What a second attempt would bring cannot be seen in first ones.
  if (value === 1 || value === MOST_ATTEMPTS) return undefined;
  if (low < minBenefit || surelyExhausted < EXHAUSTED || extraLoad > maxExtraLoad) return undefined;
  return {
    target: value + 1,
    reason: `${percent(exhausted / first.made)} of the calls fail after attempt ${value}, which rescues ${percent(answered / made)}`,
    evidence: { ...facts, exhausted, calls: first.made, expectedExtraLoad: extraLoad },
  };
}

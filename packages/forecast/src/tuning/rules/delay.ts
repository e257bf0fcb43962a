import { difference } from '../binomial.ts';
import { type Finding, percent, type RuleInput } from './finding.ts';

/** Second attempts after shorter, and after longer delays, that must have been made. */
const NEEDED = 300;
/** A difference of shares that matters. */
const MATTERS = 0.05;
const FACTOR = 1.5;

/**
 * The first delay. Jitter makes it an experiment: second attempts after the shorter half of the delays are
 * compared with those after the longer half. When longer ones are surely answered more often, the delay
 * grows. When they surely make no difference of five of a hundred, it shrinks.
 *
 * Without jitter there is nothing to compare and no proposal. The comparison is this package's own.
 */
export function delayRule({ evidence, value }: RuleInput): Finding {
  const { delayed, delayedAnswered } = evidence;
  const all = delayed.reduce((sum, count) => sum + count, 0);
  const shorter = { made: 0, answered: 0 };
  const longer = { made: 0, answered: 0 };
  for (let i = 0; i < delayed.length; i++) {
    const half = shorter.made < all / 2 ? shorter : longer;
    half.made += delayed[i] as number;
    half.answered += delayedAnswered[i] as number;
  }
  const samples = Math.floor(Math.min(shorter.made, longer.made));
  if (samples < NEEDED) {
    return { samples, needed: NEEDED, of: 'second attempts after shorter and after longer delays' };
  }
  const [low, high] = difference([shorter.answered, shorter.made], [longer.answered, longer.made]);
  const facts = {
    shorter: shorter.answered / shorter.made,
    longer: longer.answered / longer.made,
    attempts: all,
  };
  const said = `second attempts are answered in ${percent(facts.shorter)} after shorter and ${percent(facts.longer)} after longer delays`;
  if (low > 0 && (low + high) / 2 > MATTERS) {
    return { target: value * FACTOR, reason: said, evidence: facts };
  }
  if (high < MATTERS) return { target: value / FACTOR, reason: said, evidence: facts };
  return undefined;
}

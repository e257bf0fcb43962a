import { wilson } from '../binomial.ts';
import { type Finding, percent, type RuleInput } from './finding.ts';

/** First tries that must have been seen. */
const NEEDED = 1000;
/** Hedges that must have been made to judge what they bring. */
const NEEDED_HEDGES = 200;
/** Share of the calls that is hedged. */
const HEDGED = 0.05;

/**
 * The delay of a hedge: the 95th percentile of the first tries, so that one call in twenty is hedged, or
 * fewer where the load allows only fewer. When hedges surely answer fewer calls than `minBenefit` of those
 * that they are made for, they are made later.
 *
 * Source: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 56, 2013.
 */
export function hedgeRule({ evidence, value, minBenefit, maxExtraLoad }: RuleInput): Finding {
  const { firstTries, hedges, hedgesWon } = evidence;
  const tries =
    firstTries.count('answered') + firstTries.count('lost') + firstTries.count('timeout');
  if (tries < NEEDED) return { samples: Math.floor(tries), needed: NEEDED, of: 'first tries' };
  if (hedges >= NEEDED_HEDGES) {
    const [, high] = wilson(hedgesWon, hedges);
    if (high < minBenefit) {
      return {
        target: value * 1.5,
        reason: `${percent(hedgesWon / hedges)} of the hedges answer their call`,
        evidence: { hedges, hedgesWon, highest: high },
      };
    }
  }
  const share = Math.min(HEDGED, maxExtraLoad);
  const quantile = firstTries.quantile(1 - share);
  if (quantile === undefined || quantile === Number.POSITIVE_INFINITY) return undefined;
  return {
    target: quantile,
    reason: `${percent(1 - share)} of the first tries end within ${Math.round(quantile)} ms`,
    evidence: {
      tries,
      quantileMs: quantile,
      hedges,
      hedgesWon,
      expectedExtraLoad: evidence.extraLoad + share,
    },
  };
}

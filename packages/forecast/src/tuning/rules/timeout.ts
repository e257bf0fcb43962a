import { wilson } from '../binomial.ts';
import { type Finding, percent, type RuleInput } from './finding.ts';

/** Share of the answers that a timeout may cut off. */
const CUT_OFF = 0.001;
/** Answers from which the 99.9th percentile is known: its upper 95 % bound is below the longest one. */
const NEEDED = 5000;
/** The timeout is this much above that percentile: what is usual moves. */
const MARGIN = 1.5;
/** A timeout is raised by this factor at a time. */
const RISE = 1.5;

/**
 * The attempt timeout: the 99.9th percentile of the answers times 1.5. Where calls are cut off, it is
 * raised only while answers still come shortly before it: as latencies thin out towards their tail, no more
 * can come in the next such stretch than in the last one. Calls that never answer do not raise it.
 *
 * Source: M. Brooker, "Timeouts, retries, and backoff with jitter", Amazon Builders' Library, 2019: choose
 * an acceptable share of false timeouts, take that percentile, and add padding.
 */
export function timeoutRule({ evidence, value }: RuleInput): Finding {
  const { firstTries } = evidence;
  const answers = firstTries.count('answered');
  const cutOff = firstTries.count('timeout');
  const tries = answers + cutOff;
  if (tries < NEEDED)
    return { samples: Math.floor(tries), needed: NEEDED, of: 'answers and timeouts' };
  const late = firstTries.answeredWithin(value / RISE, value);
  const [surelyLate] = wilson(late, tries);
  if (cutOff / tries > CUT_OFF && surelyLate > CUT_OFF) {
    return {
      target: value * RISE,
      reason: `${percent(cutOff / tries)} of the tries are cut off, and ${percent(late / tries)} are answered in the last third of the time`,
      evidence: { tries, timeouts: cutOff, answeredLate: late },
    };
  }
  if (answers < NEEDED) return { samples: Math.floor(answers), needed: NEEDED, of: 'answers' };
  // The upper end of the interval of the percentile; see binomial.ts for the normal approximation.
  const q = 1 - CUT_OFF + 1.645 * Math.sqrt((CUT_OFF * (1 - CUT_OFF)) / answers);
  const highest = firstTries.quantile(q, false);
  if (highest === undefined || highest === Number.POSITIVE_INFINITY) return undefined;
  const target = highest * MARGIN;
  // Rising without a call that is cut off would only let hanging ones hang for longer.
  if (target >= value) return undefined;
  return {
    target,
    reason: `99.9 % of the answers come within ${Math.round(highest)} ms`,
    evidence: { answers, timeouts: cutOff, p999Ms: highest },
  };
}

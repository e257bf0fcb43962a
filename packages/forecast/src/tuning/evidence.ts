import { Durations } from './durations.ts';
import type { RecordedCall } from './recorded-call.ts';

/** Later attempts are counted with this one. */
export const MOST_ATTEMPTS = 10;
/** Delays before a second attempt are told apart by this factor. */
const DELAY_GROWTH = 1.25;
const DELAYS = 64;
/** From this many calls on, all counts are halved: what is old weighs less. */
const FULL = 200_000;

/** What became of the attempts of one number. */
interface AttemptCounts {
  made: number;
  answered: number;
  fatal: number;
}

/** What the calls of a time have brought: counts and histograms only, in constant memory. */
export class Evidence {
  calls = 0;
  failed = 0;
  refused = 0;
  /** Tries at the dependency, and those that it failed or did not answer in time. */
  tries = 0;
  triesFailed = 0;
  /** Tries beside one that was slow, and those of them that answered. */
  hedges = 0;
  hedgesWon = 0;
  /** Durations of the first try of each attempt, and of whole calls. */
  readonly firstTries: Durations = new Durations();
  readonly callDurations: Durations = new Durations();
  /** By number of the attempt, from 1 in place 0. */
  readonly attempts: readonly AttemptCounts[] = Array.from({ length: MOST_ATTEMPTS }, () => ({
    made: 0,
    answered: 0,
    fatal: 0,
  }));
  /** Second attempts by the delay before them, and those of them that were answered. */
  readonly delayed: Float64Array = new Float64Array(DELAYS);
  readonly delayedAnswered: Float64Array = new Float64Array(DELAYS);

  add(call: RecordedCall): void {
    this.calls++;
    if (!call.ok) this.failed++;
    if (call.refused) this.refused++;
    this.callDurations.record('answered', call.tookMs);
    this.tries += call.tries.length;
    let attempt = 0;
    let endedAt = 0;
    let end: 'answered' | 'fatal' | 'failed' = 'failed';
    for (const one of call.tries) {
      if (one.attempt !== attempt) {
        if (attempt > 0) this.#attempt(attempt, end);
        if (one.attempt === 2) this.#delay(one.atMs - endedAt, call);
        attempt = one.attempt;
        end = 'failed';
        endedAt = 0;
      }
      if (one.result === 'answered') end = 'answered';
      else if (one.result === 'fatal') end = 'fatal';
      if (one.result !== 'answered' && one.result !== 'lost') this.triesFailed++;
      if (one.hedge > 1) {
        // One that replaces a try that failed has nothing to do with the delay.
        const beside = one.atMs < endedAt;
        if (beside) this.hedges++;
        if (beside && one.result === 'answered') this.hedgesWon++;
      } else if (one.result !== 'failed' && one.result !== 'fatal') {
        this.firstTries.record(one.result, one.tookMs);
      }
      endedAt = Math.max(endedAt, one.atMs + one.tookMs);
    }
    if (attempt > 0) this.#attempt(attempt, end);
  }

  #attempt(number: number, end: 'answered' | 'fatal' | 'failed'): void {
    const counts = this.attempts[Math.min(number, MOST_ATTEMPTS) - 1] as AttemptCounts;
    counts.made++;
    if (end !== 'failed') counts[end]++;
  }

  #delay(ms: number, call: RecordedCall): void {
    const bucket = delayBucket(ms);
    this.delayed[bucket] = (this.delayed[bucket] as number) + 1;
    const answered = call.tries.some((one) => one.attempt === 2 && one.result === 'answered');
    if (answered) this.delayedAnswered[bucket] = (this.delayedAnswered[bucket] as number) + 1;
  }

  /** Tries beyond the first per call that had any. */
  get extraLoad(): number {
    const first = this.attempts[0]?.made ?? 0;
    return first === 0 ? 0 : Math.max(0, this.tries - first) / first;
  }

  merge(other: Evidence): void {
    for (const field of FIELDS) this[field] += other[field];
    this.firstTries.merge(other.firstTries);
    this.callDurations.merge(other.callDurations);
    for (let i = 0; i < MOST_ATTEMPTS; i++) {
      const mine = this.attempts[i] as AttemptCounts;
      const more = other.attempts[i] as AttemptCounts;
      mine.made += more.made;
      mine.answered += more.answered;
      mine.fatal += more.fatal;
    }
    for (let i = 0; i < DELAYS; i++) {
      this.delayed[i] = (this.delayed[i] as number) + (other.delayed[i] as number);
      this.delayedAnswered[i] =
        (this.delayedAnswered[i] as number) + (other.delayedAnswered[i] as number);
    }
    if (this.calls > FULL) this.#scale(0.5);
  }

  clear(): void {
    this.#scale(0);
  }

  #scale(factor: number): void {
    for (const field of FIELDS) this[field] *= factor;
    if (factor === 0) {
      this.firstTries.clear();
      this.callDurations.clear();
    } else {
      this.firstTries.scale(factor);
      this.callDurations.scale(factor);
    }
    for (const counts of this.attempts) {
      counts.made *= factor;
      counts.answered *= factor;
      counts.fatal *= factor;
    }
    for (const counts of [this.delayed, this.delayedAnswered]) {
      for (let i = 0; i < DELAYS; i++) counts[i] = (counts[i] as number) * factor;
    }
  }
}

const FIELDS = [
  'calls',
  'failed',
  'refused',
  'tries',
  'triesFailed',
  'hedges',
  'hedgesWon',
] as const;

function delayBucket(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(DELAYS - 1, 1 + Math.floor(Math.log(ms) / Math.log(DELAY_GROWTH)));
}

/** Shortest and longest duration that are told apart, in milliseconds. */
const SHORTEST_MS = 0.1;
const LONGEST_MS = 3_600_000;
/** Each bucket ends this much above the one before it, which bounds the error of a quantile. */
const GROWTH = 1.05;
const BUCKETS: number = Math.ceil(Math.log(LONGEST_MS / SHORTEST_MS) / Math.log(GROWTH)) + 1;

/** Where a bucket ends, in milliseconds. */
const upper = (bucket: number): number => Math.min(LONGEST_MS, SHORTEST_MS * GROWTH ** bucket);

/** How a try ended: it was answered, it timed out, or it was ended because another one had answered. */
export type DurationKind = 'answered' | 'timeout' | 'lost';

/**
 * How long tries take, in constant memory: counts in buckets that grow by a twentieth. A try that was cut
 * off only tells that it would have taken longer.
 *
 * Source of the buckets: C. Masson et al., "DDSketch", VLDB 2019.
 */
export class Durations {
  readonly #counts: Readonly<Record<DurationKind, Float64Array>> = {
    answered: new Float64Array(BUCKETS),
    timeout: new Float64Array(BUCKETS),
    lost: new Float64Array(BUCKETS),
  };
  readonly #totals: Record<DurationKind, number> = { answered: 0, timeout: 0, lost: 0 };

  record(kind: DurationKind, ms: number): void {
    const counts = this.#counts[kind];
    const bucket = bucketOf(ms);
    counts[bucket] = (counts[bucket] as number) + 1;
    this.#totals[kind]++;
  }

  count(kind: DurationKind): number {
    return this.#totals[kind];
  }

  /** Tries that were answered after more than `fromMs` and at most `toMs`, to within a bucket. */
  answeredWithin(fromMs: number, toMs: number): number {
    let sum = 0;
    for (let i = fromMs <= 0 ? 0 : bucketOf(fromMs) + 1; i <= bucketOf(toMs); i++) {
      sum += this.#counts.answered[i] as number;
    }
    return sum;
  }

  /**
   * The duration, in milliseconds, that a share `q` of the tries does not exceed; at most 5 % above the
   * true one. Tries that were cut off count as long as they ran.
   *
   * Source: E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", JASA 53,
   * 1958. It takes for granted that a try is not cut off because it would be slow to end: true of one that
   * another try outran. A timeout cuts off what may never have ended at all.
   *
   * @param timeouts - whether tries that timed out are part of it
   * @returns `undefined` without tries, `Infinity` when too many were cut off to know
   */
  quantile(q: number, timeouts: boolean = true): number | undefined {
    const { answered, timeout, lost } = this.#counts;
    let atRisk = this.#totals.answered + this.#totals.lost + (timeouts ? this.#totals.timeout : 0);
    if (atRisk <= 0) return undefined;
    let running = 1;
    for (let i = 0; i < BUCKETS; i++) {
      const ended = answered[i] as number;
      if (ended > 0) running *= 1 - Math.min(1, ended / atRisk);
      if (1 - running >= q - 1e-9 && ended > 0) return upper(i);
      atRisk -= ended + (lost[i] as number) + (timeouts ? (timeout[i] as number) : 0);
      if (atRisk <= 0) break;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Adds what another one has counted. */
  merge(other: Durations): void {
    for (const kind of KINDS) {
      if (other.#totals[kind] === 0) continue;
      const counts = this.#counts[kind];
      const more = other.#counts[kind];
      for (let i = 0; i < BUCKETS; i++) counts[i] = (counts[i] as number) + (more[i] as number);
      this.#totals[kind] += other.#totals[kind];
    }
  }

  /** Multiplies all counts: older observations then weigh less. */
  scale(factor: number): void {
    for (const kind of KINDS) {
      for (let i = 0; i < BUCKETS; i++) {
        this.#counts[kind][i] = (this.#counts[kind][i] as number) * factor;
      }
      this.#totals[kind] *= factor;
    }
  }

  clear(): void {
    for (const kind of KINDS) {
      if (this.#totals[kind] > 0) this.#counts[kind].fill(0);
      this.#totals[kind] = 0;
    }
  }
}

const KINDS: readonly DurationKind[] = ['answered', 'timeout', 'lost'];

function bucketOf(ms: number): number {
  if (!(ms > SHORTEST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / SHORTEST_MS) / Math.log(GROWTH) - 1e-9));
}

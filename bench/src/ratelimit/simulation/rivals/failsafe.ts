import { type Ended, log10, MovingAverage, type RivalLimit } from './rival.ts';

const WINDOW_MS = 1000;
const WINDOW_CALLS = 50;
const QUANTILE = 0.9;
const MEDIAN_OF = 5;
const CORRELATED = 50;
const WARM_UP = 10;
const MAX_FACTOR = 5;

/**
 * failsafe-go's adaptive limiter, with its defaults. Calls that were given up do not count, as there.
 *
 * Source: the descriptions and constants of github.com/failsafe-go/failsafe-go, adaptivelimiter (MIT).
 */
export class FailsafeLimit implements RivalLimit {
  limit = 20;
  readonly #median: number[] = [];
  readonly #smoothed = new MovingAverage(5, WARM_UP);
  readonly #baseline = new MovingAverage(10, WARM_UP);
  readonly #throughput = new Correlation();
  readonly #latency = new Correlation();
  #latencies: number[] = [];
  #maxInFlight = 0;
  #until = 0;

  ended({ now, latencyMs, inFlight, overloaded, full }: Ended): void {
    if (!overloaded) {
      this.#latencies.push(latencyMs);
      this.#maxInFlight = Math.max(this.#maxInFlight, inFlight);
    }
    if (now <= this.#until || this.#latencies.length < WINDOW_CALLS) return;
    const sorted = this.#latencies.sort((a, b) => a - b);
    const recent = this.#smoothed.add(this.#filter(sorted[Math.floor(QUANTILE * sorted.length)]!));
    this.#update(recent, this.#maxInFlight, full);
    this.#until = now + Math.min(30_000, Math.max(2 * sorted[0]!, WINDOW_MS));
    this.#latencies = [];
    this.#maxInFlight = 0;
  }

  #filter(latencyMs: number): number {
    this.#median.push(latencyMs);
    if (this.#median.length < MEDIAN_OF) return latencyMs;
    if (this.#median.length > MEDIAN_OF) this.#median.shift();
    return [...this.#median].sort((a, b) => a - b)[MEDIAN_OF >> 1]!;
  }

  #update(recent: number, inFlight: number, full: boolean): void {
    const step = log10(this.limit);
    const queue = Math.ceil(this.limit * (1 - this.#baseline.add(recent) / recent));
    const throughput = this.#throughput.add(inFlight, inFlight / (recent / 1000));
    const latency = this.#latency.add(inFlight, recent);
    const risesWithLoad = latency.correlation > 0.5;
    const worse =
      throughput.correlation < 0 ||
      (risesWithLoad && (throughput.correlation < 0.3 || throughput.variation < 0.2));
    let next = this.limit;
    if (queue > 6 * step || (full && worse)) next -= step;
    else if (queue < 3 * step) next += step;
    const most = inFlight * MAX_FACTOR;
    if (next > most) next = this.limit > most ? this.limit - step : most;
    this.limit = Math.max(1, Math.min(200, next));
  }
}

/** Pearson's correlation of the last pairs, and the coefficient of variation of the second values. */
class Correlation {
  readonly #pairs: [number, number][] = [];

  add(x: number, y: number): { readonly correlation: number; readonly variation: number } {
    this.#pairs.push([x, y]);
    if (this.#pairs.length > CORRELATED) this.#pairs.shift();
    const mean = (f: (pair: [number, number]) => number): number =>
      this.#pairs.reduce((sum, pair) => sum + f(pair), 0) / this.#pairs.length;
    const meanX = mean(([a]) => a);
    const meanY = mean(([, b]) => b);
    const deviationX = Math.sqrt(mean(([a]) => (a - meanX) ** 2));
    const deviationY = Math.sqrt(mean(([, b]) => (b - meanY) ** 2));
    const variation = deviationY / meanY;
    const tooFew = this.#pairs.length < WARM_UP;
    if (tooFew || deviationX < 0.01 * meanX || variation < 0.01) {
      return { correlation: 0, variation: tooFew ? 0 : variation };
    }
    const covariance = mean(([a, b]) => (a - meanX) * (b - meanY));
    return { correlation: covariance / (deviationX * deviationY), variation };
  }
}

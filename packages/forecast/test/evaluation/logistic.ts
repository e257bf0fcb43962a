/** A fitted logistic model: the log-odds are `bias` plus the weighted features. */
export interface Logistic {
  readonly weights: readonly number[];
  readonly bias: number;
}

export interface Sample {
  readonly features: readonly number[];
  readonly label: 0 | 1;
  readonly weight: number;
}

/** Fits by gradient descent (Adam) with weights that are not negative. Deterministic. */
export function fitLogistic(samples: readonly Sample[], rounds: number): Logistic {
  const size = samples[0]?.features.length ?? 0;
  const total = samples.reduce((sum, { weight }) => sum + weight, 0);
  const w = new Float64Array(size + 1);
  const first = new Float64Array(size + 1);
  const second = new Float64Array(size + 1);
  w[size] = -4;
  for (let round = 1; round <= rounds; round++) {
    const gradient = new Float64Array(size + 1);
    for (const { features, label, weight } of samples) {
      const error = (probability(logOdds(w, features)) - label) * (weight / total);
      for (let j = 0; j < size; j++)
        gradient[j] = (gradient[j] as number) + error * (features[j] as number);
      gradient[size] = (gradient[size] as number) + error;
    }
    for (let j = 0; j <= size; j++) {
      const g = gradient[j] as number;
      first[j] = 0.9 * (first[j] as number) + 0.1 * g;
      second[j] = 0.99 * (second[j] as number) + 0.01 * g * g;
      const step = (first[j] as number) / (1 - 0.9 ** round);
      const scale = Math.sqrt((second[j] as number) / (1 - 0.99 ** round)) + 1e-9;
      w[j] = (w[j] as number) - (0.1 * step) / scale;
      if (j < size) w[j] = Math.max(0, w[j] as number);
    }
  }
  return { weights: [...w.subarray(0, size)], bias: w[size] as number };
}

export function predict({ weights, bias }: Logistic, features: readonly number[]): number {
  return logOdds([...weights, bias], features);
}

export const probability = (odds: number): number => 1 / (1 + Math.exp(-odds));

function logOdds(w: ArrayLike<number>, features: readonly number[]): number {
  let odds = w[features.length] as number;
  for (let j = 0; j < features.length; j++) odds += (w[j] as number) * (features[j] as number);
  return odds;
}

/** Standard deviations of the intervals here: of a thousand true values, five lie outside on one side. */
export const Z = 2.576;

/**
 * Wilson's score interval of a share.
 *
 * Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
 * 1927.
 *
 * @returns `[0, 1]` without trials
 */
export function wilson(
  successes: number,
  trials: number,
  z: number = Z,
): readonly [low: number, high: number] {
  if (trials <= 0) return [0, 1];
  const share = successes / trials;
  const weight = (z * z) / trials;
  const middle = (share + weight / 2) / (1 + weight);
  const half = (z / (1 + weight)) * Math.sqrt((share * (1 - share)) / trials + weight / 4 / trials);
  // Rounding shall not exclude what was observed.
  return [Math.max(0, Math.min(share, middle - half)), Math.min(1, Math.max(share, middle + half))];
}

/**
 * Newcombe's interval of the difference of two shares, second minus first.
 *
 * Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions",
 * Statistics in Medicine 17, 1998, method 10.
 */
export function difference(
  first: readonly [successes: number, trials: number],
  second: readonly [successes: number, trials: number],
): readonly [low: number, high: number] {
  const [a, b] = [first[0] / first[1], second[0] / second[1]];
  const [lowA, highA] = wilson(...first);
  const [lowB, highB] = wilson(...second);
  return [b - a - Math.hypot(b - lowB, highA - a), b - a + Math.hypot(highB - b, a - lowA)];
}

/**
 * How many calls a window must hold so that a share of `threshold` of them fails by chance with at most
 * this probability, while the true share is `base`: the Chernoff bound `exp(-n KL(threshold, base))`.
 *
 * Source: H. Chernoff, Annals of Mathematical Statistics 23, 1952; W. Hoeffding, JASA 58, 1963.
 *
 * @returns `Infinity` when the threshold is not above the base
 */
export function callsAgainstChance(threshold: number, base: number, probability: number): number {
  if (base >= threshold) return Number.POSITIVE_INFINITY;
  if (base <= 0) return 1;
  const rest = threshold >= 1 ? 0 : (1 - threshold) * Math.log((1 - threshold) / (1 - base));
  const divergence = threshold * Math.log(threshold / base) + rest;
  return Math.max(1, Math.ceil(-Math.log(probability) / divergence));
}

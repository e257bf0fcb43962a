import { seededRandom } from '../seeded-random.ts';

/** Draws a duration of a mean, in milliseconds. */
export type Distribution = (meanMs: number, random: () => number) => number;

/** Always the mean. */
export const constant: Distribution = (meanMs) => meanMs;

/** Between 90 % and 110 % of the mean. */
export const steady: Distribution = (meanMs, random) => meanMs * (0.9 + 0.2 * random());

/** An exponential distribution, as of times between independent events. */
export const exponential: Distribution = (meanMs, random) => -meanMs * Math.log(1 - random());

/**
 * A Pareto distribution with a coefficient of variation above two: one draw of a hundred is five times the
 * mean, one of a thousand 14 times.
 */
export const heavyTailed: Distribution = (meanMs, random) => {
  const shape = 2.1;
  return (meanMs * (shape - 1)) / shape / (1 - random()) ** (1 / shape);
};

/**
 * Repeatable chance for one part of a simulation. Each part draws from its own, so that the arrivals of calls
 * stay the same when another policy draws more often.
 */
export function randomFor(seed: number, part: string): () => number {
  let hash = 0x811c9dc5 ^ seed; // FNV-1a
  for (const sign of part) hash = Math.imul(hash ^ sign.charCodeAt(0), 0x01000193);
  const random = seededRandom(hash);
  random(); // seeds that are near each other begin alike
  return random;
}

/** The source of chance of every policy: a number in `[0, 1)`. Inject a seeded one for repeatable runs. */
export type Random = () => number;

/** `Math.random`. */
export const systemRandom: Random = Math.random;

/** Chance, as every package sees it: a number in `[0, 1)`. Inject a seeded one for repeatable runs. */
export type Random = () => number;

/** The machine's own chance. */
export const systemRandom: Random = Math.random;

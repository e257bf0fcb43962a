/**
 * How often a property test got to each of the situations that it is there for: a model that never opens its
 * circuit proves nothing about an open one.
 */
export class Reach<Situation extends string> {
  readonly #counts: Map<Situation, number>;

  constructor(...situations: readonly Situation[]) {
    this.#counts = new Map(situations.map((each) => [each, 0]));
  }

  /** Counts a situation, when it is one. */
  count(situation: Situation, is: boolean = true): void {
    if (is) this.#counts.set(situation, (this.#counts.get(situation) ?? 0) + 1);
  }

  /** Fails when any situation was reached less than `least` times, 1 by default; names all of them. */
  expectAll(least: number = 1): void {
    const missed = [...this.#counts].filter(([, times]) => times < least).map(([each]) => each);
    if (missed.length === 0) return;
    const all = [...this.#counts].map(([each, times]) => `${each} ${times}`).join(', ');
    throw new Error(
      `Reached less than ${least} times: ${missed.join(', ')}. All situations: ${all}.`,
    );
  }
}

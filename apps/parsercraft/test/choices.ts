/**
 * A finite list of numbers used as choices. When it is exhausted, every choice is the first one.
 */
export class Choices {
  readonly #numbers: readonly number[];
  #next = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  get usedUp(): boolean {
    return this.#next >= this.#numbers.length;
  }

  /** An integer from 0 up to, but not including, `bound`. */
  below(bound: number): number {
    const number = this.#numbers[this.#next] ?? 0;
    this.#next += 1;
    return number % bound;
  }

  of<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] as T;
  }

  /** True in one of `n` cases; false when the choices are exhausted. */
  oneIn(n: number): boolean {
    return !this.usedUp && this.below(n) === 0;
  }
}

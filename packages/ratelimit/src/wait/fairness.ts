import { askNumber, checkKnown, checkType } from '@temper/core/policy';
import { FairLine } from './fair-line.ts';
import type { Linked } from './line.ts';

/** How calls that wait are served fairly. */
export interface FairOptions {
  /**
   * The weight of a caller: with 2, it gets twice as much as one with 1 while both wait. Called when a
   * caller begins to wait. What it throws, and what is no number from 0.001 to 1000, is logged or taken
   * for 1.
   *
   * @defaultValue 1 for each caller
   */
  readonly weight?: (caller: string) => number;
}

/** Checks the option `fair`. @throws {TypeError} unless a boolean or {@link FairOptions} */
export function fairRule(owner: string, option: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  checkType(owner, option, value, 'object');
  checkKnown(`${owner}: ${option}`, value, ['weight']);
  const { weight } = value as FairOptions;
  if (weight !== undefined) checkType(owner, `${option}.weight`, weight, 'function');
}

/** A line in fair order; `undefined` where calls are served as they arrive. */
export function fairLine<T extends Linked<T>>(
  owner: string,
  fair: boolean | FairOptions,
): FairLine<T> | undefined {
  if (fair === false) return undefined;
  const weight = fair === true ? undefined : fair.weight;
  if (weight === undefined) return new FairLine(() => 1);
  return new FairLine((caller) => {
    const found = askNumber(owner, 'fair.weight', weight, caller) ?? 1;
    return found >= 0.001 && found <= 1000 ? found : 1;
  });
}

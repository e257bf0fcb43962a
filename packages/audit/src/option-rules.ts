import { type OptionRule, show } from '@temper/core/policy';

/** A string that is not empty: a path, or the name of a writer. */
export const textRule: OptionRule = (owner, option, value) => {
  if (typeof value === 'string' && value !== '') return;
  throw new TypeError(`${owner}: ${option} must be a non-empty string, got ${show(value)}.`);
};

/** An array. */
export const listRule: OptionRule = (owner, option, value) => {
  if (Array.isArray(value)) return;
  throw new TypeError(`${owner}: ${option} must be an array, got ${show(value)}.`);
};

/** An array of strings. */
export const textsRule: OptionRule = (owner, option, value) => {
  listRule(owner, option, value);
  const wrong = (value as readonly unknown[]).findIndex((item) => typeof item !== 'string');
  if (wrong < 0) return;
  const got = show((value as readonly unknown[])[wrong]);
  throw new TypeError(`${owner}: ${option}[${wrong}] must be a string, got ${got}.`);
};

/** An array of these names. */
export function fieldsRule(names: readonly string[]): OptionRule {
  return (owner, option, value) => {
    textsRule(owner, option, value);
    const wrong = (value as readonly string[]).find((item) => !names.includes(item));
    if (wrong === undefined) return;
    throw new TypeError(
      `${owner}: ${option} must be some of ${names.join(', ')}, got ${show(wrong)}.`,
    );
  };
}

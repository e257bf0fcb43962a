import { safeText } from './text.ts';

/** The range that {@link checkNumber} holds a number to. Both ends are inclusive unless said otherwise. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  /** Whether `min` itself is excluded. */
  readonly aboveMin?: boolean;
  readonly integer?: boolean;
  /** Whether `Infinity` is accepted when no `max` is given. @defaultValue true */
  readonly infinite?: boolean;
}

/**
 * Holds an option to its range.
 *
 * @returns the value
 * @throws {TypeError} when it is not a number
 * @throws {RangeError} when it is NaN or out of range; the message names owner, option, range and value
 */
export function checkNumber(
  owner: string,
  option: string,
  value: unknown,
  range: NumberRange = {},
): number {
  const { min, max, aboveMin = false, integer = false, infinite = true } = range;
  if (typeof value !== 'number') {
    throw new TypeError(`${owner}: ${option} must be ${describe(range)}, got ${show(value)}.`);
  }
  const fits =
    !Number.isNaN(value) &&
    (min === undefined || (aboveMin ? value > min : value >= min)) &&
    (max === undefined || value <= max) &&
    (infinite || Number.isFinite(value)) &&
    (!integer || Number.isInteger(value) || (infinite && value === Number.POSITIVE_INFINITY));
  if (!fits) {
    throw new RangeError(`${owner}: ${option} must be ${describe(range)}, got ${show(value)}.`);
  }
  return value;
}

function describe({ min, max, aboveMin = false, integer = false, infinite = true }: NumberRange) {
  const kind = integer
    ? 'an integer'
    : infinite || max !== undefined
      ? 'a number'
      : 'a finite number';
  if (min !== undefined && max !== undefined) {
    return aboveMin ? `${kind} > ${min} and <= ${max}` : `${kind} from ${min} to ${max}`;
  }
  if (min !== undefined) return `${kind} ${aboveMin ? '>' : '>='} ${min}`;
  if (max !== undefined) return `${kind} <= ${max}`;
  return kind;
}

/**
 * Holds an option to a list of words.
 *
 * @throws {TypeError} naming owner, option, the words and the value
 */
export function checkOneOf<const T>(
  owner: string,
  option: string,
  value: unknown,
  allowed: readonly T[],
): T {
  if (!allowed.includes(value as T)) {
    const words = allowed.map(show).join(', ');
    throw new TypeError(`${owner}: ${option} must be one of ${words}, got ${show(value)}.`);
  }
  return value as T;
}

/** @throws {TypeError} unless the option is of the named `typeof`, naming owner, option and value */
export function checkType(
  owner: string,
  option: string,
  value: unknown,
  type: 'function' | 'boolean' | 'string' | 'object',
): void {
  if (typeof value !== type || value === null) {
    const article = type === 'object' ? 'an' : 'a';
    throw new TypeError(`${owner}: ${option} must be ${article} ${type}, got ${show(value)}.`);
  }
}

/** Longest name of a policy. It stands on every series, span and error message. */
const MAX_NAME_LENGTH = 128;

/**
 * @throws {TypeError} unless the name is a string of 1 to 128 characters without control characters:
 * it labels errors, spans and metrics
 */
export function checkName(owner: string, value: unknown): string {
  const fits =
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_NAME_LENGTH &&
    !hasControlCharacter(value);
  if (!fits) {
    throw new TypeError(
      `${owner}: name must be a non-empty string of at most ${MAX_NAME_LENGTH} characters without control characters, got ${show(value)}.`,
    );
  }
  return value;
}

/** Whether a text has a character of Unicode's category `Cc`. A short name is read faster than matched. */
function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}

/**
 * Refuses unknown options, so that a misspelt one is not silently ignored.
 *
 * @throws {TypeError} naming owner, the unknown option and the known ones
 */
export function checkKnown(owner: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${owner}: options must be an object, got ${show(options)}.`);
  }
  const tag = Object.prototype.toString.call(options);
  if (tag !== '[object Object]') {
    const got = Array.isArray(options) ? show(options) : safeText(tag, 60);
    throw new TypeError(`${owner}: options must be an object like { name }, got ${got}.`);
  }
  for (const key in options) {
    if (!known.includes(key) && isGiven(options, key)) {
      throw new TypeError(`${owner}: unknown option ${show(key)}; known are ${known.join(', ')}.`);
    }
  }
}

/** Whether options have a property, of their own or inherited. What is on `Object.prototype` is meant for nobody. */
function isGiven(options: object, key: string): boolean {
  return Object.hasOwn(options, key) || !(key in Object.prototype);
}

/** A value as it appears in a message: strings quoted, short and scrubbed. Never throws. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${safeText(value, 60)}'`;
  if (typeof value === 'function') {
    try {
      return `function ${safeText(value.name || '(anonymous)', 60)}`;
    } catch {
      return 'a function'; // a revoked proxy
    }
  }
  return safeText(value, 60);
}

/**
 * Holds one option to its type and range; throws a `TypeError` or `RangeError` that names them.
 *
 * @returns a {@link Replaced} where another value is to be used; anything else is not looked at
 */
export type OptionRule = (owner: string, option: string, value: unknown) => unknown;

/** Returned by a rule that puts a value in place of the one that was given. */
export class Replaced {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** A number in this range. */
export function numberRule(range: NumberRange = {}): OptionRule {
  return (owner, option, value) => void checkNumber(owner, option, value, range);
}

/** One of these values. */
export function oneOfRule(values: readonly unknown[]): OptionRule {
  return (owner, option, value) => void checkOneOf(owner, option, value, values);
}

/** A value of this `typeof`, and not `null`. */
export function typeRule(type: 'function' | 'boolean' | 'string' | 'object'): OptionRule {
  return (owner, option, value) => void checkType(owner, option, value, type);
}

/** An object with these methods. */
export function methodsRule(...methods: readonly string[]): OptionRule {
  return (owner, option, value) => {
    checkType(owner, option, value, 'object');
    for (const method of methods) {
      checkType(
        owner,
        `${option}.${method}`,
        (value as Record<string, unknown>)[method],
        'function',
      );
    }
  };
}

/** A name, as of {@link checkName}. */
export const nameRule: OptionRule = (owner, _option, value) => void checkName(owner, value);

/** The defaults of all options but those that may stay unset. */
export type Defaults<O extends object, Unset extends keyof O = never> = {
  readonly [K in Exclude<keyof O, Unset>]-?: Exclude<O[K], undefined>;
};

/** Options that were checked, with their defaults filled in. */
export type Resolved<O extends object, Unset extends keyof O = never> = Defaults<O, Unset> & {
  readonly [K in Unset]?: O[K];
};

/**
 * Holds options to their rules and fills in the defaults. `undefined` is the same as absent.
 *
 * @param owner - the factory's name, in messages
 * @param rules - one for each option that exists
 * @throws {TypeError} when the options are no object, or one is unknown or of the wrong type
 * @throws {RangeError} when a number is out of range
 */
export function resolveOptions<O extends object, Unset extends keyof O = never>(
  owner: string,
  options: O,
  defaults: Defaults<O, Unset>,
  rules: { readonly [K in keyof O]-?: OptionRule },
): Resolved<O, Unset> {
  const resolved: Record<string, unknown> = { ...defaults };
  for (const option of givenOptions(owner, options, rules)) {
    const value: unknown = options[option as keyof O];
    if (value === undefined) continue;
    const answer = rules[option as keyof O](owner, option, value);
    resolved[option] = answer instanceof Replaced ? answer.value : value;
  }
  return resolved as Resolved<O, Unset>;
}

/**
 * The names of the options that are given.
 *
 * @throws {TypeError} as {@link checkKnown}
 */
function givenOptions(owner: string, options: object, rules: object): string[] {
  if (isLiteral(options)) {
    const names = Object.getOwnPropertyNames(options);
    // As most options are left out, this is faster than to look for each that there is.
    if (names.every((name) => Object.hasOwn(rules, name))) return names;
  }
  const known = Object.keys(rules);
  checkKnown(owner, options, known);
  // Read by name, so that options are also those that a class has as accessors, or that are inherited.
  return known.filter((option) => isGiven(options, option));
}

/** Whether `value` inherits nothing that is meant as an option. */
function isLiteral(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !(Symbol.toStringTag in value)
  );
}

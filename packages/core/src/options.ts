import type { Clock } from './clock.ts';

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

/** @throws {TypeError} unless the name is a non-empty string: it labels errors, spans and metrics */
export function checkName(owner: string, value: unknown): string {
  if (typeof value !== 'string' || value.length === 0) {
    throw new TypeError(`${owner}: name must be a non-empty string, got ${show(value)}.`);
  }
  return value;
}

/**
 * Refuses options that do not exist, so that a misspelt one is not silently ignored.
 *
 * @throws {TypeError} naming owner, the unknown option and the known ones
 */
export function checkKnown(owner: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${owner}: options must be an object, got ${show(options)}.`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new TypeError(`${owner}: unknown option '${key}'; known are ${known.join(', ')}.`);
    }
  }
}

/**
 * @throws {TypeError} unless the option has the four methods of a {@link Clock}, naming the one that
 * is missing
 */
export function checkClock(owner: string, value: unknown): Clock {
  checkType(owner, 'clock', value, 'object');
  for (const method of ['now', 'monotonic', 'sleep', 'schedule'] as const) {
    checkType(owner, `clock.${method}`, (value as Clock)[method], 'function');
  }
  return value as Clock;
}

/** What a failure says, whatever was thrown or returned. Never throws. */
export function messageOf(failure: unknown): string {
  try {
    if (typeof failure === 'string') return failure;
    const said = (failure as { message?: unknown } | null | undefined)?.message;
    return typeof said === 'string' ? said : show(failure);
  } catch {
    return 'an object that cannot be shown'; // a hostile getter
  }
}

/** A value as it appears in a message: quoted and short. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value.length > 60 ? `${value.slice(0, 57)}...` : value}'`;
  }
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  }
  return String(value);
}

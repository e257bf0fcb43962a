import { checkKnown, checkType, show } from '@temper/core/policy';

/**
 * Makes something of options that stand at a path. An error in them names the path in place of the factory
 * that refused them.
 *
 * @param path - such as `harden.operations.lint.breaker`
 * @throws {TypeError | RangeError} as `make`, which is its cause
 */
export function at<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    if (error.message.startsWith(path)) throw error;
    const message = `${path}: ${error.message.replace(/^[\w$]+(?: '[^']*')?: /, '')}`;
    throw error instanceof RangeError
      ? new RangeError(message, { cause: error })
      : new TypeError(message, { cause: error });
  }
}

/**
 * The entries of a record of options.
 *
 * @throws {TypeError} unless it is a plain object; the message names the path
 */
export function entriesOf<T>(path: string, record: Readonly<Record<string, T>>): [string, T][] {
  checkType(path, 'the value', record, 'object');
  if (Object.prototype.toString.call(record) !== '[object Object]') {
    throw new TypeError(
      `${path}: must be an object with one entry for each name, got ${show(record)}.`,
    );
  }
  return Object.entries(record);
}

/** Options and members by name: what each must be, and whether it may be left out. */
export type Members = Readonly<
  Record<
    string,
    readonly ['function' | 'boolean' | 'string' | 'object' | 'any', 'required' | 'optional']
  >
>;

/**
 * Checks the members of a port. A plain object may have no others, since one of them is likely misspelt;
 * an instance of a class may.
 *
 * @throws {TypeError} naming the path of what is missing, unknown or of the wrong type
 */
export function checkPort(path: string, port: unknown, members: Members): void {
  if (typeof port !== 'object' || port === null || Array.isArray(port)) {
    throw new TypeError(
      `${path}: must be an object with ${Object.keys(members).join(', ')}, got ${show(port)}.`,
    );
  }
  const prototype: unknown = Object.getPrototypeOf(port);
  if (prototype === Object.prototype || prototype === null) {
    checkKnown(path, port, Object.keys(members));
  }
  for (const [name, [type, presence]] of Object.entries(members)) {
    const value: unknown = (port as Readonly<Record<string, unknown>>)[name];
    if (value === undefined && presence === 'optional') continue;
    if (type !== 'any') checkType(path, name, value, type);
    else if (value === undefined) throw new TypeError(`${path}: ${name} is missing.`);
  }
}

import semver from 'semver';

/** Longest package name, in characters. */
export const MAX_NAME_LENGTH = 64;
/** Longest version, in characters; semver itself stops at 256. */
export const MAX_VERSION_LENGTH = 128;
/** Longest range a client may ask for, in characters. */
const MAX_RANGE_LENGTH = 256;
/** Longest path inside a package, in characters. */
const MAX_PATH_LENGTH = 128;

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+|\.[a-z][a-z0-9]*)*$/;
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/**
 * Device names on Windows, where a client that unpacks a package into a folder of its name would
 * open a device in its place.
 */
const DEVICES: ReadonlySet<string> = new Set([
  'con',
  'prn',
  'aux',
  'nul',
  ...Array.from({ length: 9 }, (_, i) => `com${i + 1}`),
  ...Array.from({ length: 9 }, (_, i) => `lpt${i + 1}`),
]);

/** `/packages/publish` is an address of its own. */
const ADDRESSES: ReadonlySet<string> = new Set(['publish']);

/** What Windows goes by: `nul.txt` is the device, too. */
function firstWord(segment: string): string {
  return segment.split('.', 1)[0]!.toLowerCase();
}

/**
 * Why a value is no package name, or undefined when it is one.
 *
 * A name is words of lower-case letters and digits, joined by single dots or hyphens (`std.math`,
 * which the language writes as `use std.math`). That is one plain path segment on every file
 * system and in every URL: nothing in it needs escaping, no two names differ in case alone, and
 * none can climb out of a folder.
 */
export function whyNotName(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be a string';
  if (value.length === 0 || value.length > MAX_NAME_LENGTH) {
    return `must have 1 to ${MAX_NAME_LENGTH} characters`;
  }
  if (!NAME.test(value)) {
    return 'must be lower-case words joined by single dots or hyphens, such as std.math';
  }
  if (DEVICES.has(firstWord(value)) || ADDRESSES.has(value)) return 'is reserved';
  return undefined;
}

/**
 * Why a value is no version, or undefined when it is one: SemVer 2.0.0 in its canonical form,
 * without build metadata (two builds of one version would be equal in precedence, and one
 * version is one tarball here).
 */
export function whyNotVersion(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be a string';
  if (value.length > MAX_VERSION_LENGTH) {
    return `must have at most ${MAX_VERSION_LENGTH} characters`;
  }
  if (semver.valid(value) !== value) {
    return 'must be a semantic version such as 1.2.3 or 1.2.3-beta.1, without build metadata';
  }
  return undefined;
}

/** Why a value is no version range, or undefined when it is one that npm would understand. */
export function whyNotRange(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be a string';
  if (value.length > MAX_RANGE_LENGTH) return `must have at most ${MAX_RANGE_LENGTH} characters`;
  if (semver.validRange(value) === null) {
    return 'must be a version range such as ^1.2.0, ~1.2.0, >=1.0.0 <2.0.0 or *';
  }
  return undefined;
}

/**
 * Why a value is no path of a file inside a package, or undefined when it is one: relative,
 * with forward slashes, of plain segments that begin with a letter, a digit or an underscore.
 * That leaves no `..`, no absolute path, no drive letter, no hidden file and no control character.
 */
export function whyNotFilePath(value: string): string | undefined {
  if (value.length === 0 || value.length > MAX_PATH_LENGTH) {
    return `must have 1 to ${MAX_PATH_LENGTH} characters`;
  }
  for (const segment of value.split('/')) {
    if (!SEGMENT.test(segment) || segment.endsWith('.')) {
      return 'must be relative, of segments of letters, digits, "_", "-" and "."';
    }
    if (DEVICES.has(firstWord(segment))) return 'must not name a device';
  }
  return undefined;
}

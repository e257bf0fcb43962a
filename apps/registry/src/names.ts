import semver from 'semver';

/** Maximum length of a package name, in characters. */
export const MAX_NAME_LENGTH = 64;
/** Maximum length of a version, in characters; semver itself allows 256. */
export const MAX_VERSION_LENGTH = 128;
/** Maximum length of a version range, in characters. */
const MAX_RANGE_LENGTH = 256;
/** Maximum length of a path inside a package, in characters. */
const MAX_PATH_LENGTH = 128;

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+|\.[a-z][a-z0-9]*)*$/;
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/**
 * Device names on Windows, where a client that unpacks a package to a folder with its name would
 * open a device instead.
 */
const DEVICES: ReadonlySet<string> = new Set([
  'con',
  'prn',
  'aux',
  'nul',
  ...Array.from({ length: 9 }, (_, i) => `com${i + 1}`),
  ...Array.from({ length: 9 }, (_, i) => `lpt${i + 1}`),
]);

/** `/packages/publish` is a separate route. */
const RESERVED: ReadonlySet<string> = new Set(['publish']);

/** The part that Windows compares with device names: `nul.txt` is also the device. */
function firstWord(segment: string): string {
  return segment.split('.', 1)[0]!.toLowerCase();
}

/**
 * Returns why a value is not a package name, or undefined when it is one.
 *
 * A name consists of words of lower-case letters and digits, joined by single dots or hyphens, for
 * example `std.math`. It is a single safe segment in URLs and on every file system: it needs no
 * escaping, no two names differ only in case, and none refers to a parent folder.
 */
export function whyNotName(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be a string';
  if (value.length === 0 || value.length > MAX_NAME_LENGTH) {
    return `must have 1 to ${MAX_NAME_LENGTH} characters`;
  }
  if (!NAME.test(value)) {
    return 'must be lower-case words joined by single dots or hyphens, such as std.math';
  }
  if (DEVICES.has(firstWord(value)) || RESERVED.has(value)) return 'is reserved';
  return undefined;
}

/**
 * Returns why a value is not a version, or undefined when it is one: SemVer 2.0.0 in canonical
 * form, without build metadata (two builds of a version would have equal precedence, but each
 * version has one tarball).
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

/** Returns why a value is not a version range, or undefined when npm accepts it. */
export function whyNotRange(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be a string';
  if (value.length > MAX_RANGE_LENGTH) return `must have at most ${MAX_RANGE_LENGTH} characters`;
  if (semver.validRange(value) === null) {
    return 'must be a version range such as ^1.2.0, ~1.2.0, >=1.0.0 <2.0.0 or *';
  }
  return undefined;
}

/**
 * Returns why a value is not a file path inside a package, or undefined when it is one: relative,
 * with forward slashes, of segments that start with a letter, a digit or an underscore. This
 * excludes `..`, absolute paths, drive letters, hidden files and control characters.
 */
export function whyNotFilePath(value: string): string | undefined {
  if (value.length === 0 || value.length > MAX_PATH_LENGTH) {
    return `must have 1 to ${MAX_PATH_LENGTH} characters`;
  }
  for (const segment of value.split('/')) {
    if (!SEGMENT.test(segment) || segment.endsWith('.')) {
      return 'must be a relative path with segments of letters, digits, "_", "-" and "."';
    }
    if (DEVICES.has(firstWord(segment))) return 'must not name a device';
  }
  return undefined;
}

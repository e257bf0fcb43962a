import semver from 'semver';

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+|\.[a-z][a-z0-9]*)*$/;

/**
 * Whether a text is a valid package name: lower-case words joined by dots or hyphens. Such a name
 * is a single safe segment of a URL and of a file path.
 */
export function isPackageName(text: string): boolean {
  return text.length <= 64 && NAME.test(text);
}

/** @throws {TypeError} unless `name` is a valid package name */
export function checkName(name: string): void {
  if (!isPackageName(name)) {
    throw new TypeError(
      `Invalid package name '${name}': use lower-case words joined by dots or hyphens.`,
    );
  }
}

/** @throws {TypeError} unless `version` is a semantic version in canonical form */
export function checkVersion(version: string): void {
  if (semver.valid(version) !== version) {
    throw new TypeError(
      `Invalid version '${version}': expected a semantic version such as 1.2.3 or 1.2.3-beta.1.`,
    );
  }
}

/** @throws {TypeError} unless `range` is a version range */
export function checkRange(range: string): void {
  if (range.length > 256 || semver.validRange(range) === null) {
    throw new TypeError(
      `Invalid version range '${range}': expected a range such as ^1.2.0 or >=1.0.0 <2.0.0.`,
    );
  }
}

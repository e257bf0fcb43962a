import semver from 'semver';
import { RegistryResponseError } from './errors.ts';
import { isPackageName } from './names.ts';

/** The metadata of one version of a package. */
export interface VersionMetadata {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Name of the language definition of the source. */
  readonly language: string;
  /** The entry file. */
  readonly main: string;
  readonly dependencies: Readonly<Record<string, string>>;
  /** Checksum of the tarball, `sha512-<base64>`. */
  readonly integrity: string;
  readonly sizeBytes: number;
  readonly yanked: boolean;
}

/** The versions of a package. */
export interface PackageVersions {
  readonly name: string;
  readonly latest: string | undefined;
  readonly versions: readonly string[];
  readonly yankedVersions: readonly string[];
}

const MAX_DEPENDENCIES = 200;
const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/;

/**
 * Validates metadata in a response.
 *
 * @throws {RegistryResponseError}
 */
export function readVersionMetadata(url: string, body: unknown): VersionMetadata {
  const record = readRecord(url, body);
  const name = readName(url, record.name);
  const version = readVersion(url, record.version);
  const { integrity, sizeBytes } = record;
  if (typeof integrity !== 'string' || !INTEGRITY.test(integrity)) {
    throw new RegistryResponseError(url, 'integrity must be sha512-<base64>');
  }
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new RegistryResponseError(url, 'sizeBytes must be an integer');
  }
  return {
    name,
    version,
    description: readText(record.description, ''),
    language: readText(record.language, 'core'),
    main: readText(record.main, 'main.pc'),
    dependencies: readDependencies(url, record.dependencies),
    integrity,
    sizeBytes,
    yanked: record.yanked === true,
  };
}

/** @throws {RegistryResponseError} */
export function readVersions(url: string, body: unknown): PackageVersions {
  const record = readRecord(url, body);
  const list = (value: unknown): readonly string[] =>
    Array.isArray(value) ? value.slice(0, 10_000).map((one) => readVersion(url, one)) : [];
  return {
    name: readName(url, record.name),
    latest: typeof record.latest === 'string' ? readVersion(url, record.latest) : undefined,
    versions: list(record.versions),
    yankedVersions: list(record.yankedVersions),
  };
}

function readRecord(url: string, body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
    return body as Record<string, unknown>;
  }
  throw new RegistryResponseError(url, 'the response must be an object');
}

function readName(url: string, value: unknown): string {
  if (typeof value === 'string' && isPackageName(value)) return value;
  throw new RegistryResponseError(url, 'name must be a package name');
}

function readVersion(url: string, value: unknown): string {
  if (typeof value === 'string' && semver.valid(value) === value) return value;
  throw new RegistryResponseError(url, 'version must be a semantic version');
}

function readText(value: unknown, missing: string): string {
  return typeof value === 'string' ? value.slice(0, 4096) : missing;
}

function readDependencies(url: string, value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(readRecord(url, value ?? {}));
  if (entries.length > MAX_DEPENDENCIES) {
    throw new RegistryResponseError(url, `more than ${MAX_DEPENDENCIES} dependencies`);
  }
  for (const [name, range] of entries) {
    readName(url, name);
    if (typeof range !== 'string' || semver.validRange(range) === null) {
      throw new RegistryResponseError(url, `the range of ${name} must be a semver range`);
    }
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

import { whyNotFilePath, whyNotName, whyNotRange, whyNotVersion } from './names.ts';

/** The manifest at the root of every package, the only source of its metadata. */
export const MANIFEST_FILE = 'package.json';

/** The manifest of a package. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly author: string;
  readonly license: string;
  readonly homepage: string;
  readonly repository: string;
  /** Name of the language definition of the source. */
  readonly language: string;
  /** The entry file, relative to the package. */
  readonly main: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** A validation error and the field it concerns. */
export interface Flaw {
  readonly field: string;
  readonly message: string;
}

type ManifestResult =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly flaws: readonly Flaw[] };

const DEFAULT_LANGUAGE = 'core';
const DEFAULT_MAIN = 'main.pc';
const TEXT_FIELDS = ['description', 'author', 'license', 'homepage', 'repository'] as const;
const MAX_TEXT_LENGTH = 1_000;
const MAX_DEPENDENCIES = 100;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(source: Record<string, unknown>, field: string, flaws: Flaw[]): string {
  const value = source[field];
  if (value === undefined) return '';
  if (typeof value !== 'string' || value.length > MAX_TEXT_LENGTH) {
    flaws.push({ field, message: `must be a string of at most ${MAX_TEXT_LENGTH} characters` });
    return '';
  }
  return value;
}

function dependenciesOf(
  source: Record<string, unknown>,
  field: 'dependencies' | 'devDependencies',
  flaws: Flaw[],
): Record<string, string> {
  const value = source[field];
  if (value === undefined) return {};
  if (!isRecord(value)) {
    flaws.push({ field, message: 'must be an object that maps package names to version ranges' });
    return {};
  }
  const entries = Object.entries(value);
  if (entries.length > MAX_DEPENDENCIES) {
    flaws.push({ field, message: `must have at most ${MAX_DEPENDENCIES} entries` });
    return {};
  }
  const dependencies: Record<string, string> = {};
  for (const [name, range] of entries) {
    const where = `${field}.${name.slice(0, 80)}`;
    const whyName = whyNotName(name);
    const whyRange = whyNotRange(range);
    if (whyName !== undefined) flaws.push({ field: where, message: `the name ${whyName}` });
    else if (name === source.name)
      flaws.push({ field: where, message: 'must not be the package itself' });
    else if (whyRange !== undefined) flaws.push({ field: where, message: whyRange });
    else dependencies[name] = range as string;
  }
  return dependencies;
}

/**
 * Validates a manifest. All errors are reported, so that an author can fix them together. Unknown
 * members are allowed; they remain in the tarball but are not part of the metadata.
 */
export function parseManifest(value: unknown): ManifestResult {
  if (!isRecord(value)) {
    return { ok: false, flaws: [{ field: MANIFEST_FILE, message: 'must be a JSON object' }] };
  }
  const flaws: Flaw[] = [];
  const whyName = whyNotName(value.name);
  if (whyName !== undefined) flaws.push({ field: 'name', message: whyName });
  const whyVersion = whyNotVersion(value.version);
  if (whyVersion !== undefined) flaws.push({ field: 'version', message: whyVersion });
  const main = value.main ?? DEFAULT_MAIN;
  const whyMain = typeof main === 'string' ? whyNotFilePath(main) : 'must be a string';
  if (whyMain !== undefined) flaws.push({ field: 'main', message: whyMain });
  const language = value.language ?? DEFAULT_LANGUAGE;
  const whyLanguage = whyNotName(language);
  if (whyLanguage !== undefined) flaws.push({ field: 'language', message: whyLanguage });
  const [description, author, license, homepage, repository] = TEXT_FIELDS.map((field) =>
    textOf(value, field, flaws),
  ) as [string, string, string, string, string];
  const dependencies = dependenciesOf(value, 'dependencies', flaws);
  const devDependencies = dependenciesOf(value, 'devDependencies', flaws);
  if (flaws.length > 0) return { ok: false, flaws };
  return {
    ok: true,
    manifest: {
      name: value.name as string,
      version: value.version as string,
      description,
      author,
      license,
      homepage,
      repository,
      language: language as string,
      main: main as string,
      dependencies,
      devDependencies,
    },
  };
}

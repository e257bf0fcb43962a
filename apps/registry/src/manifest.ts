import { whyNotFilePath, whyNotName, whyNotRange, whyNotVersion } from './names.ts';

/** The file that every package has at its root, and the only source of its metadata. */
export const MANIFEST_FILE = 'package.json';

/** What a package says of itself. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly author: string;
  readonly license: string;
  readonly homepage: string;
  readonly repository: string;
  /** The language definition that the source is written in. */
  readonly language: string;
  /** The file that an importer gets, relative to the package. */
  readonly main: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** One thing that is wrong, and where. */
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
    flaws.push({ field, message: 'must be an object of names and ranges' });
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
    else if (name === source.name) flaws.push({ field: where, message: 'is the package itself' });
    else if (whyRange !== undefined) flaws.push({ field: where, message: whyRange });
    else dependencies[name] = range as string;
  }
  return dependencies;
}

/**
 * Reads and checks a manifest. Every flaw is reported, not the first alone, so that an author
 * mends a package in one round. Members that the registry does not know are left to the tools
 * that do; they travel in the tarball, and not in the registry's metadata.
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

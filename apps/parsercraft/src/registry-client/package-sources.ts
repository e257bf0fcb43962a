import { bundledDefinition, isBundledLanguage } from '../lang/bundled.ts';
import type { LanguageDefinition } from '../lang/definition.ts';
import type { PackageSource, PackageSources } from '../types/check.ts';
import type { FetchedPackage } from './client.ts';
import { IntegrityError } from './errors.ts';

/** Looks up the definition named in a manifest; `undefined` when it is unknown. */
type LanguageLookup = (name: string) => LanguageDefinition | undefined;

const bundledLanguages: LanguageLookup = (name) =>
  isBundledLanguage(name) ? bundledDefinition(name) : undefined;

/**
 * Converts fetched packages to sources that a program can `use`.
 *
 * @throws {IntegrityError} when the language of a package is unknown
 */
export function packageSources(
  packages: Iterable<readonly [string, FetchedPackage]>,
  languages: LanguageLookup = bundledLanguages,
): PackageSources {
  const sources = new Map<string, PackageSource>();
  for (const [name, { metadata, source }] of packages) {
    const definition = languages(metadata.language);
    if (definition === undefined) {
      const id = `${name}@${metadata.version}`;
      throw new IntegrityError(id, `its language '${metadata.language}' is unknown`);
    }
    sources.set(name, { source, definition });
  }
  return sources;
}

import { bundledDefinition, isBundledLanguage } from '../lang/bundled.ts';
import type { LanguageDefinition } from '../lang/definition.ts';
import type { PackageSource, PackageSources } from '../types/check.ts';
import type { FetchedPackage } from './client.ts';
import { IntegrityError } from './errors.ts';

/** Finds the definition that a manifest names; `undefined` when there is none. */
type LanguageLookup = (name: string) => LanguageDefinition | undefined;

const bundledLanguages: LanguageLookup = (name) =>
  isBundledLanguage(name) ? bundledDefinition(name) : undefined;

/**
 * Fetched packages as what a program can `use`.
 *
 * @throws {IntegrityError} when a package is in a language that is not known
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
      throw new IntegrityError(id, `its language '${metadata.language}' is not known here`);
    }
    sources.set(name, { source, definition });
  }
  return sources;
}

import { readFileSync } from 'node:fs';
import type { LanguageDefinition } from './definition.ts';
import { loadDefinition } from './load.ts';

/** The bundled definitions: the files in the `languages` folder. */
export const BUNDLED_LANGUAGES = ['core', 'escuela', 'algol'] as const;
type BundledLanguage = (typeof BUNDLED_LANGUAGES)[number];

const loaded = new Map<BundledLanguage, LanguageDefinition>();

/** The YAML text of a bundled definition. */
export function bundledDefinitionText(name: BundledLanguage): string {
  return readFileSync(new URL(`../../languages/${name}.yaml`, import.meta.url), 'utf8');
}

/** A bundled definition. Loaded on first use and cached. */
export function bundledDefinition(name: BundledLanguage): LanguageDefinition {
  const before = loaded.get(name);
  if (before !== undefined) return before;
  const definition = loadDefinition(bundledDefinitionText(name));
  loaded.set(name, definition);
  return definition;
}

export function isBundledLanguage(name: string): name is BundledLanguage {
  return (BUNDLED_LANGUAGES as readonly string[]).includes(name);
}

import { messageOf } from '@temper/core/policy';
import type { LspInitialization } from '@temper/parsercraft';
import type { RegistryAccess } from '../subsystems/registry.ts';

/**
 * Fetches the sources of all packages at startup, so that the language server works without the
 * network. If the registry does not respond, only completions are missing.
 */
export async function standardLibrary(
  { client }: RegistryAccess,
  url: string,
  log: (line: string) => void,
): Promise<NonNullable<LspInitialization['packages']>> {
  try {
    const response = await fetch(`${url}/packages?limit=100`, {
      signal: AbortSignal.timeout(5_000),
    });
    const { packages: names } = (await response.json()) as { packages: string[] };
    const everything = Object.fromEntries(names.map((name) => [name, '*']));
    const { packages } = await client.install(everything);
    return Object.fromEntries(
      [...packages].map(([name, { source, metadata }]) => [
        name,
        { source, language: metadata.language },
      ]),
    );
  } catch (error) {
    log(`language server: starting without packages: ${messageOf(error)}`);
    return {};
  }
}

import type { LspInitialization } from '@temper/parsercraft';
import type { RegistryAccess } from '../subsystems/registry.ts';

/**
 * The sources of every package that the registry has at the start, for the language server: it
 * answers without the network. A registry that does not answer costs completions, not the start.
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
    log(`the language server starts without packages: ${(error as Error).message}`);
    return {};
  }
}

import {
  type Cache,
  type FetchedPackage,
  type Installed,
  memoryCache,
  RegistryClient,
} from '@temper/parsercraft';
import type { RegistrySubsystem } from '@temper/parsercraft-handlers';
import { marking } from './error-marks.ts';
import type { WireTap } from './wire-tap.ts';

/** A package with everything that it needs, verified, and when its registry was asked. */
export interface PackageTree extends Installed {
  readonly root: FetchedPackage;
}

/** The registry as a port, and its client for what is not guarded by it. */
export interface RegistryAccess {
  readonly client: RegistryClient;
  readonly subsystem: RegistrySubsystem<PackageTree>;
}

/** One request may take this long; an attempt of the plan is given less. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The registry over HTTP. Metadata is asked for each time, with the entity tag of what is known, and
 * tarballs are downloaded each time: an answer from a cache would say nothing about the registry. The
 * copy for worse days is kept by the guard, with its age.
 */
export function registryAccess(url: string, tap: WireTap): RegistryAccess {
  const client = new RegistryClient({
    url,
    fetch: tap.fetch,
    cache: documentsOnly(memoryCache()),
    timeoutMs: REQUEST_TIMEOUT_MS,
  });
  // Older than nothing can be: the registry is asked.
  const maxAgeMs = -1;
  return {
    client,
    subsystem: {
      fetchPackage: (name, range, { signal }) =>
        tap.attempt(() =>
          marking(async () => {
            const installed = await client.install({ [name]: range }, { signal, maxAgeMs });
            const root = installed.packages.get(name);
            if (root === undefined) throw new Error(`'${name}' is not among what it needs.`);
            return { ...installed, root };
          }),
        ),
      probe: ({ signal }) => marking(() => client.health({ signal })),
    },
  };
}

function documentsOnly(cache: Cache): Cache {
  return {
    ...cache,
    tarball: async () => undefined,
    keepTarball: async () => undefined,
  };
}

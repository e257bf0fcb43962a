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

/** A verified package with its dependencies. */
export interface PackageTree extends Installed {
  readonly root: FetchedPackage;
}

/** The registry as a guarded subsystem, and its client for unguarded requests. */
export interface RegistryAccess {
  readonly client: RegistryClient;
  readonly subsystem: RegistrySubsystem<PackageTree>;
}

/** Timeout of one request, in milliseconds; above the attempt timeout of the plan. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The registry over HTTP. Metadata is revalidated by entity tag and tarballs are downloaded on every
 * fetch, because a cached response would say nothing about the registry's health. Stale copies for
 * outages are kept by the cache policy.
 */
export function registryAccess(url: string, tap: WireTap): RegistryAccess {
  const client = new RegistryClient({
    url,
    fetch: tap.fetch,
    cache: documentsOnly(memoryCache()),
    timeoutMs: REQUEST_TIMEOUT_MS,
  });
  // A negative age forces revalidation.
  const maxAgeMs = -1;
  return {
    client,
    subsystem: {
      isPublic: true,
      fetchPackage: (name, range, { signal }) =>
        tap.attempt(() =>
          marking(async () => {
            const installed = await client.install({ [name]: range }, { signal, maxAgeMs });
            const root = installed.packages.get(name);
            if (root === undefined)
              throw new Error(`The registry client did not install '${name}'.`);
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

import type { CallOptions, FetchedPackage, RegistryClient } from './client.ts';
import { RegistryConnectionError, RegistryHttpError, RegistryTimeoutError } from './errors.ts';
import type { PackageVersions, VersionMetadata } from './metadata.ts';

/** A result that may be a failure: the caller must check `success`. */
interface RegistryResponse<T> {
  readonly success: boolean;
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly cacheHit: boolean;
}

/**
 * A registry client with the interface of the original ParserCraft: network and HTTP errors are
 * returned as values. A policy that handles only exceptions does not see these failures, so test
 * the value with {@link isFailedResponse} in its `shouldHandle`.
 */
export class ValueRegistryClient {
  readonly #client: RegistryClient;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  fetchPackageMetadata(
    name: string,
    version?: string,
    options?: CallOptions,
  ): Promise<RegistryResponse<VersionMetadata>> {
    return respond(async () => {
      const { value, fromCache } = await this.#client.metadata(name, version, options);
      return { data: value, cacheHit: fromCache };
    });
  }

  fetchPackageVersions(
    name: string,
    options?: CallOptions,
  ): Promise<RegistryResponse<PackageVersions>> {
    return respond(async () => {
      const { value, fromCache } = await this.#client.versions(name, options);
      return { data: value, cacheHit: fromCache };
    });
  }

  fetchPackage(
    name: string,
    range?: string,
    options?: CallOptions,
  ): Promise<RegistryResponse<FetchedPackage>> {
    return respond(async () => {
      const data = await this.#client.fetchPackage(name, range, options);
      return { data, cacheHit: data.fromCache };
    });
  }
}

/** Whether a value is a {@link RegistryResponse} that failed. */
export function isFailedResponse(
  value: unknown,
): value is RegistryResponse<never> & { readonly error: Error } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'success' in value &&
    value.success === false &&
    'error' in value &&
    value.error instanceof Error
  );
}

async function respond<T>(
  ask: () => Promise<{ readonly data: T; readonly cacheHit: boolean }>,
): Promise<RegistryResponse<T>> {
  try {
    const { data, cacheHit } = await ask();
    return { success: true, data, error: undefined, cacheHit };
  } catch (error) {
    const onTheWire =
      error instanceof RegistryConnectionError ||
      error instanceof RegistryTimeoutError ||
      error instanceof RegistryHttpError;
    // A wrong argument or an abort is not a response of the registry.
    if (!onTheWire) throw error;
    return { success: false, data: undefined, error, cacheHit: false };
  }
}

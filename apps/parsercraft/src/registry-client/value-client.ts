import type { CallOptions, FetchedPackage, RegistryClient } from './client.ts';
import { RegistryConnectionError, RegistryHttpError, RegistryTimeoutError } from './errors.ts';
import type { PackageVersions, VersionMetadata } from './metadata.ts';

/** An answer that may be a failure: the caller must look. */
export interface RegistryResponse<T> {
  readonly success: boolean;
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly cacheHit: boolean;
}

/**
 * The registry client as ParserCraft's original had it: what goes wrong on the wire comes back as
 * a value. A guard that watches only for exceptions sees nothing but success here, so give it
 * {@link isFailedResponse} as its `isFailure`.
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
    // A mistake of the caller, or its abort, is no answer of the registry.
    if (!onTheWire) throw error;
    return { success: false, data: undefined, error, cacheHit: false };
  }
}

import { type Cache, type CacheEntry, memoryCache } from './cache.ts';
import { IntegrityError } from './errors.ts';
import { type HttpAnswer, type HttpOptions, json, request } from './http.ts';
import type { LockFile } from './lock-file.ts';
import {
  type PackageVersions,
  readVersionMetadata,
  readVersions,
  type VersionMetadata,
} from './metadata.ts';
import { checkName, checkRange, checkVersion } from './names.ts';
import { type Requirements, type Resolution, resolveVersions } from './resolve.ts';
import { type PackageFiles, unpack, verify } from './unpack.ts';

export interface RegistryClientOptions {
  /** URL of the registry, for example `http://127.0.0.1:4810`. */
  readonly url: string;
  /** Sends the requests; wrap it to add policies. @defaultValue the global `fetch` */
  readonly fetch?: typeof fetch;
  /** @defaultValue an in-memory cache of 500 entries */
  readonly cache?: Cache;
  /**
   * Maximum age of cached metadata, in milliseconds. Older metadata is revalidated. Tarballs do not
   * expire, because they are stored by checksum.
   *
   * @defaultValue 60_000
   */
  readonly maxAgeMs?: number;
  /** Timeout of a request including its response body, in milliseconds. @defaultValue 10_000 */
  readonly timeoutMs?: number;
  /** Maximum size of a response, in bytes. @defaultValue 4_194_304 */
  readonly maxResponseBytes?: number;
  /** Wall clock for the age of cached entries, in milliseconds. @defaultValue Date.now */
  readonly now?: () => number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Overrides the option of the client, in milliseconds; `Infinity` accepts any cached entry. */
  readonly maxAgeMs?: number;
}

export const REGISTRY_CLIENT_DEFAULTS: Readonly<
  Record<'maxAgeMs' | 'timeoutMs' | 'maxResponseBytes', number>
> = { maxAgeMs: 60_000, timeoutMs: 10_000, maxResponseBytes: 4_194_304 };

/** A value with its origin and age. */
interface Kept<T> {
  readonly value: T;
  /** When the registry last confirmed the value, in milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly ageMs: number;
  readonly fromCache: boolean;
}

/** A downloaded package: verified, and unpacked in memory. */
export interface FetchedPackage {
  readonly metadata: VersionMetadata;
  readonly files: PackageFiles;
  /** The content of the file named by `main`. */
  readonly source: string;
  /** When the metadata was fetched, in milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly ageMs: number;
  /** Whether it was read from the cache without a request. */
  readonly fromCache: boolean;
}

export interface Installed {
  /** In dependency order: each package after its dependencies. */
  readonly packages: ReadonlyMap<string, FetchedPackage>;
  readonly lock: LockFile;
}

interface InstallOptions extends CallOptions {
  /**
   * Prefers the locked versions where they still satisfy the requirements, and enforces the
   * checksums.
   */
  readonly lock?: LockFile | undefined;
}

/**
 * A client of the package registry. It throws typed errors and never retries: retries, circuit
 * breakers and rate limits are left to the caller.
 */
export class RegistryClient {
  readonly #http: HttpOptions;
  readonly #cache: Cache;
  readonly #maxAgeMs: number;

  /** @throws {TypeError} unless `url` is an http or https URL */
  constructor(options: RegistryClientOptions) {
    const url = URL.parse(options.url);
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new TypeError(`url must be an http or https URL, not '${options.url}'.`);
    }
    const { timeoutMs, maxAgeMs, maxResponseBytes } = { ...REGISTRY_CLIENT_DEFAULTS, ...options };
    for (const [name, value] of Object.entries({ timeoutMs, maxAgeMs, maxResponseBytes })) {
      if (!(value > 0)) throw new RangeError(`${name} must be greater than 0, not ${value}.`);
    }
    this.#http = {
      baseUrl: url.href.replace(/(?<!\/)\/+$/, ''),
      fetch: options.fetch ?? ((...list) => fetch(...list)),
      timeoutMs,
      maxResponseBytes,
      now: options.now ?? Date.now,
    };
    this.#cache = options.cache ?? memoryCache();
    this.#maxAgeMs = maxAgeMs;
  }

  /** Checks the health of the registry. Resolves when it responds successfully. */
  async health({ signal }: CallOptions = {}): Promise<void> {
    await request(this.#http, { path: '/health', signal });
  }

  /** The available versions of a package. */
  versions(name: string, options: CallOptions = {}): Promise<Kept<PackageVersions>> {
    checkName(name);
    return this.#document(`/packages/${name}/versions`, readVersions, options);
  }

  /** The metadata of a version. @defaultValue the latest version */
  metadata(
    name: string,
    version?: string,
    options: CallOptions = {},
  ): Promise<Kept<VersionMetadata>> {
    return this.#document(metadataPath(name, version), readVersionMetadata, options);
  }

  /** The cached metadata of a version, of any age. Never sends a request. */
  async lastKnown(name: string, version?: string): Promise<Kept<VersionMetadata> | undefined> {
    const before = await this.#keptDocument(metadataPath(name, version), readVersionMetadata);
    return before && this.#kept(before.result, before.fetchedAt, true);
  }

  /**
   * Resolves the requirements to one version per package, including transitive dependencies.
   *
   * @throws {VersionConflictError | DependencyCycleError} when there is no solution
   */
  async resolve(requirements: Requirements, options: InstallOptions = {}): Promise<Resolution> {
    return (await this.#resolve(requirements, options)).resolution;
  }

  /**
   * Downloads a version, verifies its checksum and unpacks it in memory.
   *
   * @throws {IntegrityError} when the tarball does not match the metadata
   */
  async download(
    name: string,
    version: string,
    options: CallOptions = {},
  ): Promise<FetchedPackage> {
    checkVersion(version);
    const {
      value: metadata,
      fetchedAt,
      ageMs,
      fromCache,
    } = await this.metadata(name, version, options);
    const id = `${name}@${version}`;
    if (metadata.name !== name || metadata.version !== version) {
      throw new IntegrityError(
        id,
        `the registry returned metadata for ${metadata.name}@${metadata.version}`,
      );
    }
    const own = await this.#keptTarball(id, metadata);
    const tarball = own ?? (await this.#fetchTarball(id, metadata, options));
    const files = await unpack(id, tarball);
    checkManifest(id, metadata, files);
    const main = files.get(metadata.main);
    if (main === undefined)
      throw new IntegrityError(id, `the tarball does not contain ${metadata.main}`);
    const source = new TextDecoder().decode(main);
    return { metadata, files, source, fetchedAt, ageMs, fromCache: fromCache && own !== undefined };
  }

  /**
   * Downloads and verifies the highest version in a range.
   */
  async fetchPackage(
    name: string,
    range = '*',
    options: CallOptions = {},
  ): Promise<FetchedPackage> {
    const { packages } = await this.install({ [name]: range }, options);
    return packages.get(name) as FetchedPackage;
  }

  /** Resolves, downloads and verifies the requirements and their transitive dependencies. */
  async install(requirements: Requirements, options: InstallOptions = {}): Promise<Installed> {
    const { resolution, asked } = await this.#resolve(requirements, options);
    const packages = new Map<string, FetchedPackage>();
    const locked: Record<string, LockFile['packages'][string]> = {};
    for (const [name, version] of resolution) {
      const fetched = await this.download(name, version, options);
      const { integrity, dependencies } = fetched.metadata;
      const { packages: known = {} } = options.lock ?? {};
      const before = Object.hasOwn(known, name) ? known[name] : undefined;
      if (before?.version === version && before.integrity !== integrity) {
        const message = 'the checksum from the registry does not match the lock file';
        throw new IntegrityError(`${name}@${version}`, message);
      }
      packages.set(name, { ...fetched, fromCache: fetched.fromCache && !asked.has(name) });
      locked[name] = { version, integrity, dependencies };
    }
    const inOrder = Object.entries(locked).sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      packages,
      lock: { lockfileVersion: 1, requirements, packages: Object.fromEntries(inOrder) },
    };
  }

  /** Publishes a package from its files. `token` is the bearer token of the registry. */
  async publish(
    files: Readonly<Record<string, string>>,
    token: string,
    { signal }: CallOptions = {},
  ): Promise<VersionMetadata> {
    const { 'package.json': manifest, ...rest } = files;
    if (manifest === undefined) throw new TypeError('The package has no package.json.');
    const answer = await request(this.#http, {
      path: '/packages/publish',
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ manifest: JSON.parse(manifest), files: rest }),
      signal,
    });
    return readVersionMetadata(answer.url, json(answer));
  }

  /** The resolution, and the packages for which requests were sent. */
  async #resolve(
    requirements: Requirements,
    options: InstallOptions,
  ): Promise<{ readonly resolution: Resolution; readonly asked: ReadonlySet<string> }> {
    for (const [name, range] of Object.entries(requirements)) {
      checkName(name);
      checkRange(range);
    }
    const preferred = Object.fromEntries(
      Object.entries(options.lock?.packages ?? {}).map(([name, { version }]) => [name, version]),
    );
    const asked = new Set<string>();
    const read = <T>(name: string, { value, fromCache }: Kept<T>): T => {
      if (!fromCache) asked.add(name);
      return value;
    };
    const index = {
      versions: async (name: string) => read(name, await this.versions(name, options)).versions,
      dependencies: async (name: string, version: string) =>
        read(name, await this.metadata(name, version, options)).dependencies,
    };
    const { signal } = options;
    return { resolution: await resolveVersions(requirements, index, { preferred, signal }), asked };
  }

  async #document<T>(
    path: string,
    read: (url: string, body: unknown) => T,
    options: CallOptions,
  ): Promise<Kept<T>> {
    const { now } = this.#http;
    const before = await this.#keptDocument(path, read);
    const maxAgeMs = options.maxAgeMs ?? this.#maxAgeMs;
    if (before !== undefined && now() - before.fetchedAt <= maxAgeMs) {
      return this.#kept(before.result, before.fetchedAt, true);
    }
    const headers = {
      accept: 'application/json',
      ...(before?.etag === undefined ? {} : { 'if-none-match': before.etag }),
    };
    const answer = await request(this.#http, { path, headers, signal: options.signal });
    const known = answer.status === 304 && before !== undefined;
    const value = known ? before.value : json(answer);
    const result = read(answer.url, value);
    const entry = { fetchedAt: now(), etag: answer.etag ?? before?.etag, value };
    await this.#quietly(this.#cache.keepDocument(path, entry));
    return this.#kept(result, entry.fetchedAt, false);
  }

  /** A cached document that is still valid. A damaged one counts as missing. */
  async #keptDocument<T>(
    path: string,
    read: (url: string, body: unknown) => T,
  ): Promise<(CacheEntry & { readonly result: T }) | undefined> {
    const entry = await this.#cache.document(path).catch(() => undefined);
    if (entry === undefined) return undefined;
    try {
      return { ...entry, result: read(path, entry.value) };
    } catch {
      return undefined;
    }
  }

  async #keptTarball(id: string, metadata: VersionMetadata): Promise<Uint8Array | undefined> {
    const kept = await this.#cache.tarball(metadata.integrity);
    if (kept === undefined) return undefined;
    try {
      verify(id, kept, metadata);
      return kept;
    } catch {
      // The cached file is damaged: download it again.
      return undefined;
    }
  }

  async #fetchTarball(
    id: string,
    metadata: VersionMetadata,
    { signal }: CallOptions,
  ): Promise<Uint8Array> {
    const path = `/packages/${metadata.name}/${metadata.version}/download`;
    const { body }: HttpAnswer = await request(this.#http, { path, signal });
    verify(id, body, metadata);
    await this.#quietly(this.#cache.keepTarball(metadata.integrity, body));
    return body;
  }

  #kept<T>(value: T, fetchedAt: number, fromCache: boolean): Kept<T> {
    return { value, fetchedAt, ageMs: Math.max(0, this.#http.now() - fetchedAt), fromCache };
  }

  /** A failed cache write costs time but not correctness. */
  async #quietly(writing: Promise<void>): Promise<void> {
    await writing.catch(() => undefined);
  }
}

function metadataPath(name: string, version: string | undefined): string {
  checkName(name);
  if (version === undefined) return `/packages/${name}`;
  checkVersion(version);
  return `/packages/${name}/${version}`;
}

function checkManifest(id: string, metadata: VersionMetadata, files: PackageFiles): void {
  let manifest: unknown;
  try {
    manifest = JSON.parse(new TextDecoder().decode(files.get('package.json')));
  } catch (cause) {
    throw new IntegrityError(id, 'its package.json is missing or not valid JSON', { cause });
  }
  const { name, version } = (manifest ?? {}) as { name?: unknown; version?: unknown };
  if (name !== metadata.name || version !== metadata.version) {
    throw new IntegrityError(id, 'its package.json describes another package');
  }
}

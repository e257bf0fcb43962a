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
  /** Address of the registry, for instance `http://127.0.0.1:4810`. */
  readonly url: string;
  /** What sends the requests; wrap it to guard them. @defaultValue the global `fetch` */
  readonly fetch?: typeof fetch;
  /** @defaultValue a cache in memory of 500 entries */
  readonly cache?: Cache;
  /**
   * How old metadata may be, in milliseconds, before the registry is asked again. Tarballs never
   * age: they are kept by their checksum.
   *
   * @defaultValue 60_000
   */
  readonly maxAgeMs?: number;
  /** Longest time for one request with its answer, in milliseconds. @defaultValue 10_000 */
  readonly timeoutMs?: number;
  /** Largest answer, in bytes. @defaultValue 4_194_304 */
  readonly maxResponseBytes?: number;
  /** Wall clock, in milliseconds, for the age of what is kept. @defaultValue Date.now */
  readonly now?: () => number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For this call, instead of the client's; `Infinity` takes whatever is kept. */
  readonly maxAgeMs?: number;
}

export const REGISTRY_CLIENT_DEFAULTS: Readonly<
  Record<'maxAgeMs' | 'timeoutMs' | 'maxResponseBytes', number>
> = { maxAgeMs: 60_000, timeoutMs: 10_000, maxResponseBytes: 4_194_304 };

/** Something with where it came from and how old it is. */
export interface Kept<T> {
  readonly value: T;
  /** When the registry last said so, in milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly ageMs: number;
  readonly fromCache: boolean;
}

/** A package whose checksum was verified, unpacked in memory. */
export interface FetchedPackage {
  readonly metadata: VersionMetadata;
  readonly files: PackageFiles;
  /** The text of the file that `main` names. */
  readonly source: string;
  /** When its metadata was fetched. */
  readonly fetchedAt: number;
  readonly ageMs: number;
  /** Whether nothing was asked of the registry for it. */
  readonly fromCache: boolean;
}

export interface Installed {
  /** Each after the packages it needs. */
  readonly packages: ReadonlyMap<string, FetchedPackage>;
  readonly lock: LockFile;
}

export interface InstallOptions extends CallOptions {
  /** Its versions are taken where they still fit, and its checksums must hold. */
  readonly lock?: LockFile | undefined;
}

/**
 * A client of the package registry. It throws typed errors and never tries again by itself:
 * retries, breakers and limits are for whoever guards it.
 */
export class RegistryClient {
  readonly #http: HttpOptions;
  readonly #cache: Cache;
  readonly #maxAgeMs: number;

  /** @throws {TypeError} unless `url` is an address of http or https */
  constructor(options: RegistryClientOptions) {
    const url = URL.parse(options.url);
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new TypeError(`url must be an address of http or https, not '${options.url}'.`);
    }
    const { timeoutMs, maxAgeMs, maxResponseBytes } = { ...REGISTRY_CLIENT_DEFAULTS, ...options };
    for (const [name, value] of Object.entries({ timeoutMs, maxAgeMs, maxResponseBytes })) {
      if (!(value > 0)) throw new RangeError(`${name} must be over 0, not ${value}.`);
    }
    this.#http = {
      baseUrl: url.href.replace(/\/+$/, ''),
      fetch: options.fetch ?? ((...list) => fetch(...list)),
      timeoutMs,
      maxResponseBytes,
      now: options.now ?? Date.now,
    };
    this.#cache = options.cache ?? memoryCache();
    this.#maxAgeMs = maxAgeMs;
  }

  /** Asks the registry how it is; resolves when it answers that it is well. */
  async health({ signal }: CallOptions = {}): Promise<void> {
    await request(this.#http, { path: '/health', signal });
  }

  /** The versions of a package that can be had. */
  versions(name: string, options: CallOptions = {}): Promise<Kept<PackageVersions>> {
    checkName(name);
    return this.#document(`/packages/${name}/versions`, readVersions, options);
  }

  /** The metadata of a version; of the latest one when none is named. */
  metadata(
    name: string,
    version?: string,
    options: CallOptions = {},
  ): Promise<Kept<VersionMetadata>> {
    return this.#document(metadataPath(name, version), readVersionMetadata, options);
  }

  /** What was last known of a version, however old; never asks the registry. */
  async lastKnown(name: string, version?: string): Promise<Kept<VersionMetadata> | undefined> {
    const before = await this.#keptDocument(metadataPath(name, version), readVersionMetadata);
    return before && this.#kept(before.result, before.fetchedAt, true);
  }

  /**
   * One version for each package that the requirements need, directly or not.
   *
   * @throws {VersionConflictError | DependencyCycleError} when there are none
   */
  async resolve(requirements: Requirements, options: InstallOptions = {}): Promise<Resolution> {
    return (await this.#resolve(requirements, options)).resolution;
  }

  /**
   * Downloads one version, verifies its checksum and unpacks it in memory.
   *
   * @throws {IntegrityError} when it is not what was announced
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
      throw new IntegrityError(id, `the registry told of ${metadata.name}@${metadata.version}`);
    }
    const own = await this.#keptTarball(id, metadata);
    const tarball = own ?? (await this.#fetchTarball(id, metadata, options));
    const files = await unpack(id, tarball);
    checkManifest(id, metadata, files);
    const main = files.get(metadata.main);
    if (main === undefined) throw new IntegrityError(id, `there is no ${metadata.main} in it`);
    const source = new TextDecoder().decode(main);
    return { metadata, files, source, fetchedAt, ageMs, fromCache: fromCache && own !== undefined };
  }

  /** The highest version in a range, downloaded and verified; any version when there is no range. */
  async fetchPackage(
    name: string,
    range = '*',
    options: CallOptions = {},
  ): Promise<FetchedPackage> {
    const { packages } = await this.install({ [name]: range }, options);
    return packages.get(name) as FetchedPackage;
  }

  /** Resolves, downloads and verifies everything that the requirements need. */
  async install(requirements: Requirements, options: InstallOptions = {}): Promise<Installed> {
    const { resolution, asked } = await this.#resolve(requirements, options);
    const packages = new Map<string, FetchedPackage>();
    const locked: Record<string, LockFile['packages'][string]> = {};
    for (const [name, version] of resolution) {
      const fetched = await this.download(name, version, options);
      const { integrity, dependencies } = fetched.metadata;
      const before = options.lock?.packages[name];
      if (before?.version === version && before.integrity !== integrity) {
        const message = 'the registry announces another checksum than the lock file holds';
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

  /** Publishes a package from its files; the token is what the registry was started with. */
  async publish(
    files: Readonly<Record<string, string>>,
    token: string,
    { signal }: CallOptions = {},
  ): Promise<VersionMetadata> {
    const { 'package.json': manifest, ...rest } = files;
    if (manifest === undefined) throw new TypeError('A package needs a package.json.');
    const answer = await request(this.#http, {
      path: '/packages/publish',
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ manifest: JSON.parse(manifest), files: rest }),
      signal,
    });
    return readVersionMetadata(answer.url, json(answer));
  }

  /** A resolution, and the packages that the registry was asked about for it. */
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

  /** A kept document that still reads as one; a damaged one counts as missing. */
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
      // Damaged on the disk; the registry has it.
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

  /** A cache that cannot be written makes things slower, not wrong. */
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
    throw new IntegrityError(id, 'its package.json is missing or no JSON', { cause });
  }
  const { name, version } = (manifest ?? {}) as { name?: unknown; version?: unknown };
  if (name !== metadata.name || version !== metadata.version) {
    throw new IntegrityError(id, 'its package.json is of another package');
  }
}

/** The registry is unreachable, or the connection broke during the response. */
export class RegistryConnectionError extends Error {
  override readonly name: string = 'RegistryConnectionError';
  readonly code: string = 'ERR_PARSERCRAFT_REGISTRY_CONNECTION';
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(`Cannot reach ${url}: ${reasonOf(cause)}.`, { cause });
    this.url = url;
  }
}

/** The registry did not respond in time. */
export class RegistryTimeoutError extends Error {
  override readonly name = 'RegistryTimeoutError';
  readonly code = 'ERR_PARSERCRAFT_REGISTRY_TIMEOUT';
  readonly url: string;
  readonly timeoutMs: number;

  constructor(url: string, timeoutMs: number) {
    super(`${url} did not respond within ${timeoutMs} ms.`);
    this.url = url;
    this.timeoutMs = timeoutMs;
  }
}

interface HttpFailure {
  readonly url: string;
  readonly status: number;
  /** The `code` of the problem document. */
  readonly problem: string | undefined;
  readonly detail: string | undefined;
  /** The delay from `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  readonly traceId: string | undefined;
}

/** The registry responded with an error status. */
export class RegistryHttpError extends Error {
  override readonly name: string = 'RegistryHttpError';
  readonly code: string = 'ERR_PARSERCRAFT_REGISTRY_HTTP';
  readonly url: string;
  readonly status: number;
  readonly problem: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly traceId: string | undefined;

  constructor(failure: HttpFailure) {
    const { url, status, problem, detail, retryAfterMs, traceId } = failure;
    const why = detail ?? problem;
    super(`${url} responded with ${status}${why === undefined ? '' : `: ${why}`}.`);
    this.url = url;
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
    this.traceId = traceId;
  }
}

/** The package or version does not exist. */
export class PackageNotFoundError extends RegistryHttpError {
  override readonly name = 'PackageNotFoundError';
  override readonly code = 'ERR_PARSERCRAFT_PACKAGE_NOT_FOUND';
}

/** The response of the registry is invalid. */
export class RegistryResponseError extends Error {
  override readonly name = 'RegistryResponseError';
  readonly code = 'ERR_PARSERCRAFT_REGISTRY_RESPONSE';
  readonly url: string;

  constructor(url: string, message: string, options?: ErrorOptions) {
    super(`${url}: ${message}.`, options);
    this.url = url;
  }
}

/** A tarball does not match its metadata, or is unsafe to unpack. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError';
  readonly code = 'ERR_PARSERCRAFT_INTEGRITY';
  readonly package: string;

  constructor(packageId: string, message: string, options?: ErrorOptions) {
    super(`Package ${packageId}: ${message}.`, options);
    this.package = packageId;
  }
}

/** A dependent and the version range it requires. */
export interface Demand {
  readonly by: string;
  readonly range: string;
}

/** No version of a package satisfies every requirement. */
export class VersionConflictError extends Error {
  override readonly name = 'VersionConflictError';
  readonly code = 'ERR_PARSERCRAFT_VERSION_CONFLICT';
  readonly package: string;
  readonly demands: readonly Demand[];
  readonly available: readonly string[];

  constructor(name: string, demands: readonly Demand[], available: readonly string[]) {
    const required = demands.map(({ by, range }) => `${by} requires ${range}`).join(', ');
    const there = available.length === 0 ? 'none' : available.join(', ');
    super(
      `No version of ${name} satisfies every requirement: ${required}; available versions: ${there}.`,
    );
    this.package = name;
    this.demands = demands;
    this.available = available;
  }
}

/** Packages have a circular dependency. */
export class DependencyCycleError extends Error {
  override readonly name = 'DependencyCycleError';
  readonly code = 'ERR_PARSERCRAFT_DEPENDENCY_CYCLE';
  readonly cycle: readonly string[];

  constructor(cycle: readonly string[]) {
    super(`Circular package dependency: ${cycle.join(' → ')}.`);
    this.cycle = cycle;
  }
}

/** A lock file is invalid. */
export class LockFileError extends Error {
  override readonly name = 'LockFileError';
  readonly code = 'ERR_PARSERCRAFT_LOCK_FILE';
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause;
  const code = inner instanceof Error && 'code' in inner ? ` (${String(inner.code)})` : '';
  return `${cause.message}${code}`;
}

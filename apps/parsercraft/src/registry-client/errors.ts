/** The registry could not be reached, or its answer broke off. */
export class RegistryConnectionError extends Error {
  override readonly name: string = 'RegistryConnectionError';
  readonly code: string = 'ERR_PARSERCRAFT_REGISTRY_CONNECTION';
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(`${url} could not be reached: ${reasonOf(cause)}.`, { cause });
    this.url = url;
  }
}

/** The registry did not answer in time. */
export class RegistryTimeoutError extends Error {
  override readonly name = 'RegistryTimeoutError';
  readonly code = 'ERR_PARSERCRAFT_REGISTRY_TIMEOUT';
  readonly url: string;
  readonly timeoutMs: number;

  constructor(url: string, timeoutMs: number) {
    super(`${url} did not answer within ${timeoutMs} ms.`);
    this.url = url;
    this.timeoutMs = timeoutMs;
  }
}

interface HttpFailure {
  readonly url: string;
  readonly status: number;
  /** The `code` of the registry's problem document. */
  readonly problem: string | undefined;
  readonly detail: string | undefined;
  /** What `Retry-After` said, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  readonly traceId: string | undefined;
}

/** The registry answered with an error. */
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
    super(`${url} answered ${status}${why === undefined ? '' : `: ${why}`}.`);
    this.url = url;
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
    this.traceId = traceId;
  }
}

/** There is no such package or version, or none that fits. */
export class PackageNotFoundError extends RegistryHttpError {
  override readonly name = 'PackageNotFoundError';
  override readonly code = 'ERR_PARSERCRAFT_PACKAGE_NOT_FOUND';
}

/** The registry answered something that its interface does not allow. */
export class RegistryResponseError extends Error {
  override readonly name = 'RegistryResponseError';
  readonly code = 'ERR_PARSERCRAFT_REGISTRY_RESPONSE';
  readonly url: string;

  constructor(url: string, message: string, options?: ErrorOptions) {
    super(`${url}: ${message}.`, options);
    this.url = url;
  }
}

/** A tarball is not the one that was announced, or not one that may be unpacked. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError';
  readonly code = 'ERR_PARSERCRAFT_INTEGRITY';
  readonly package: string;

  constructor(packageId: string, message: string, options?: ErrorOptions) {
    super(`Package ${packageId}: ${message}.`, options);
    this.package = packageId;
  }
}

/** Who wants which versions of a package. */
export interface Demand {
  readonly by: string;
  readonly range: string;
}

/** No version of a package satisfies everyone who wants it. */
export class VersionConflictError extends Error {
  override readonly name = 'VersionConflictError';
  readonly code = 'ERR_PARSERCRAFT_VERSION_CONFLICT';
  readonly package: string;
  readonly demands: readonly Demand[];
  readonly available: readonly string[];

  constructor(name: string, demands: readonly Demand[], available: readonly string[]) {
    const wants = demands.map(({ by, range }) => `${by} wants ${range}`).join(', ');
    const there = available.length === 0 ? 'none' : available.join(', ');
    super(`No version of ${name} satisfies all: ${wants}; there are ${there}.`);
    this.package = name;
    this.demands = demands;
    this.available = available;
  }
}

/** Packages depend on each other in a circle. */
export class DependencyCycleError extends Error {
  override readonly name = 'DependencyCycleError';
  readonly code = 'ERR_PARSERCRAFT_DEPENDENCY_CYCLE';
  readonly cycle: readonly string[];

  constructor(cycle: readonly string[]) {
    super(`Packages depend on each other: ${cycle.join(' → ')}.`);
    this.cycle = cycle;
  }
}

/** A lock file cannot be used. */
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

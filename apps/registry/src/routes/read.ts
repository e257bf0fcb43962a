import type { FastifyInstance, FastifyRequest } from 'fastify';
import { resource } from '../app.ts';
import { type PackageVersions, packageVersions, versionMetadata } from '../metadata.ts';
import { Problem } from '../problem.ts';
import { resolveRange } from '../resolution.ts';
import { ROUTES } from '../route-patterns.ts';
import type { PackageStore, StoredVersion, VersionSummary } from '../store.ts';
import {
  integerQuery,
  nameParameter,
  rangeQuery,
  textQuery,
  versionParameter,
} from './parameters.ts';

const DEFAULT_PAGE = 50;
const MAX_PAGE = 100;

/** The requested version. Throws a problem when it does not exist. */
export function requireVersion(store: PackageStore, request: FastifyRequest): StoredVersion {
  const name = nameParameter(request);
  const version = versionParameter(request);
  const stored = store.find(name, version);
  if (stored !== undefined) return stored;
  requireVersions(store, name);
  throw new Problem('version-not-found', `Package ${name} has no version ${version}.`);
}

function requireVersions(store: PackageStore, name: string): VersionSummary[] {
  const summaries = store.list(name);
  if (summaries.length === 0) {
    throw new Problem('package-not-found', `Package ${name} does not exist.`);
  }
  return summaries;
}

function requireLatest(versions: PackageVersions): string {
  if (versions.latest !== null) return versions.latest;
  throw new Problem('yanked', `Every version of ${versions.name} has been yanked.`);
}

function refuseYanked(stored: StoredVersion): void {
  if (!stored.yanked) return;
  const { name, version } = stored.manifest;
  const why = stored.yankedReason === undefined ? '' : `: ${stored.yankedReason}`;
  throw new Problem('yanked', `${name} ${version} has been yanked${why}`, {
    ...(stored.yankedReason === undefined ? {} : { extensions: { reason: stored.yankedReason } }),
  });
}

/** The routes for reading, which need no token. */
export function readRoutes(app: FastifyInstance, store: PackageStore): void {
  resource(app, ROUTES.health, {
    GET: { handler: () => ({ status: 'ok', ...store.counts() }) },
  });
  resource(app, ROUTES.packages, {
    GET: {
      handler: (request) => {
        const limit = integerQuery(request, 'limit', DEFAULT_PAGE, MAX_PAGE);
        const names = store.names(textQuery(request, 'after') ?? '', limit + 1);
        const packages = names.slice(0, limit);
        return { packages, next: names.length > limit ? packages.at(-1) : null };
      },
    },
  });
  resource(app, ROUTES.package, {
    GET: {
      handler: (request) => {
        const name = nameParameter(request);
        const versions = packageVersions(name, requireVersions(store, name));
        const latest = store.find(name, requireLatest(versions))!;
        return { ...versionMetadata(latest), ...versions };
      },
    },
  });
  resource(app, ROUTES.versions, {
    GET: {
      handler: (request) => {
        const name = nameParameter(request);
        return packageVersions(name, requireVersions(store, name));
      },
    },
  });
  resource(app, ROUTES.resolve, {
    GET: {
      handler: (request) => {
        const name = nameParameter(request);
        const range = rangeQuery(request);
        const version = resolveRange(requireVersions(store, name), range);
        if (version === undefined) {
          throw new Problem('no-matching-version', `No version of ${name} satisfies ${range}.`);
        }
        return versionMetadata(store.find(name, version)!);
      },
    },
  });
  resource(app, ROUTES.version, {
    GET: { handler: (request) => versionMetadata(requireVersion(store, request)) },
  });
  resource(app, ROUTES.download, {
    GET: {
      handler: (request, reply) => {
        const stored = requireVersion(store, request);
        refuseYanked(stored);
        const { name, version } = stored.manifest;
        return reply
          .header('content-type', 'application/gzip')
          .header('content-disposition', `attachment; filename="${name}-${version}.tgz"`)
          .header('etag', `"${stored.sha256}"`)
          .header('repr-digest', reprDigest(stored))
          .send(Buffer.from(store.tarball(name, version)!));
      },
    },
  });
}

/**
 * The `Repr-Digest` header (RFC 9530), so that a client can verify a download without the metadata.
 */
function reprDigest(stored: StoredVersion): string {
  const sha256 = Buffer.from(stored.sha256, 'hex').toString('base64');
  const sha512 = stored.integrity.slice('sha512-'.length);
  return `sha-256=:${sha256}:, sha-512=:${sha512}:`;
}

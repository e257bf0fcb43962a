import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ADDRESSES } from '../addresses.ts';
import { resource } from '../app.ts';
import { type PackageVersions, packageVersions, versionMetadata } from '../metadata.ts';
import { Problem } from '../problem.ts';
import { resolveRange } from '../resolution.ts';
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

/** A version that exists, or the reason why it does not. */
export function requireVersion(store: PackageStore, request: FastifyRequest): StoredVersion {
  const name = nameParameter(request);
  const version = versionParameter(request);
  const stored = store.find(name, version);
  if (stored !== undefined) return stored;
  requireVersions(store, name);
  throw new Problem('version-not-found', `${name} has no version ${version}.`);
}

function requireVersions(store: PackageStore, name: string): VersionSummary[] {
  const summaries = store.list(name);
  if (summaries.length === 0) {
    throw new Problem('package-not-found', `There is no package ${name}.`);
  }
  return summaries;
}

function requireLatest(versions: PackageVersions): string {
  if (versions.latest !== null) return versions.latest;
  throw new Problem('yanked', `Every version of ${versions.name} was yanked.`);
}

function refuseYanked(stored: StoredVersion): void {
  if (!stored.yanked) return;
  const { name, version } = stored.manifest;
  const why = stored.yankedReason === undefined ? '' : `: ${stored.yankedReason}`;
  throw new Problem('yanked', `${name} ${version} was yanked${why}`, {
    ...(stored.yankedReason === undefined ? {} : { extensions: { reason: stored.yankedReason } }),
  });
}

/** Everything that can be read without a token. */
export function readRoutes(app: FastifyInstance, store: PackageStore): void {
  resource(app, ADDRESSES.health, {
    GET: { handler: () => ({ status: 'ok', ...store.counts() }) },
  });
  resource(app, ADDRESSES.packages, {
    GET: {
      handler: (request) => {
        const limit = integerQuery(request, 'limit', DEFAULT_PAGE, MAX_PAGE);
        const names = store.names(textQuery(request, 'after') ?? '', limit + 1);
        const packages = names.slice(0, limit);
        return { packages, next: names.length > limit ? packages.at(-1) : null };
      },
    },
  });
  resource(app, ADDRESSES.package, {
    GET: {
      handler: (request) => {
        const name = nameParameter(request);
        const versions = packageVersions(name, requireVersions(store, name));
        const latest = store.find(name, requireLatest(versions))!;
        return { ...versionMetadata(latest), ...versions };
      },
    },
  });
  resource(app, ADDRESSES.versions, {
    GET: {
      handler: (request) => {
        const name = nameParameter(request);
        return packageVersions(name, requireVersions(store, name));
      },
    },
  });
  resource(app, ADDRESSES.resolve, {
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
  resource(app, ADDRESSES.version, {
    GET: { handler: (request) => versionMetadata(requireVersion(store, request)) },
  });
  resource(app, ADDRESSES.download, {
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

/** RFC 9530: the digests that a client can check without having asked for the metadata. */
function reprDigest(stored: StoredVersion): string {
  const sha256 = Buffer.from(stored.sha256, 'hex').toString('base64');
  const sha512 = stored.integrity.slice('sha512-'.length);
  return `sha-256=:${sha256}:, sha-512=:${sha512}:`;
}

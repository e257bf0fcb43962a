import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { admitFiles, admitTarball } from '../admission.ts';
import { resource } from '../app.ts';
import { checkContentDigest } from '../content-digest.ts';
import { versionMetadata, versionPath } from '../metadata.ts';
import { Problem } from '../problem.ts';
import { ROUTES } from '../route-patterns.ts';
import { type PackageStore, whenFree } from '../store.ts';
import { MAX_TARBALL_BYTES } from '../tarball.ts';
import { requireVersion } from './read.ts';

const MAX_REASON_LENGTH = 500;

/**
 * The routes for writing. All of them require the token, which is checked before the body is read.
 */
export function writeRoutes(
  app: FastifyInstance,
  store: PackageStore,
  authorize: onRequestHookHandler,
): void {
  app.addContentTypeParser(
    ['application/gzip', 'application/x-gzip', 'application/x-tar+gzip'],
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );

  resource(app, ROUTES.publish, {
    POST: {
      before: authorize,
      bodyLimit: MAX_TARBALL_BYTES,
      handler: async (request, reply) => {
        const { body } = request;
        const now = new Date();
        const admitted = Buffer.isBuffer(body)
          ? await admitTarball(checkContentDigest(request.headers['content-digest'], body), now)
          : await admitFiles(body, now);
        if (!admitted.ok) {
          const [first, ...more] = admitted.flaws;
          const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
          throw new Problem('invalid-package', `${first?.field} ${first?.message}${rest}.`, {
            extensions: { errors: admitted.flaws },
          });
        }
        const { name, version } = admitted.entry.manifest;
        const { entry } = admitted;
        const created = await whenFree(() => store.publish(entry));
        const stored = store.find(name, version)!;
        if (!created) {
          // The digest lets a client that lost the first response detect that its publish succeeded.
          throw new Problem('version-exists', `${name} ${version} is already published.`, {
            extensions: {
              existing: { integrity: stored.integrity, sha256: stored.sha256 },
              identical: stored.sha256 === admitted.entry.sha256,
            },
          });
        }
        return reply
          .code(201)
          .header('location', versionPath(name, version))
          .send(versionMetadata(stored));
      },
    },
  });

  resource(app, ROUTES.yank, {
    PUT: {
      before: authorize,
      handler: (request) => setYanked(store, request, reasonOf(request.body)),
    },
    DELETE: {
      before: authorize,
      handler: (request) => setYanked(store, request, undefined),
    },
  });
}

async function setYanked(
  store: PackageStore,
  request: FastifyRequest,
  yank: { readonly reason: string | undefined } | undefined,
): Promise<unknown> {
  const { name, version } = requireVersion(store, request).manifest;
  const at = new Date().toISOString();
  await whenFree(() =>
    store.setYanked(name, version, yank === undefined ? undefined : { at, reason: yank.reason }),
  );
  return versionMetadata(store.find(name, version)!);
}

function reasonOf(body: unknown): { readonly reason: string | undefined } {
  const { reason } = (body ?? {}) as { reason?: unknown };
  if (reason === undefined) return { reason: undefined };
  if (typeof reason !== 'string' || reason.length > MAX_REASON_LENGTH) {
    throw new Problem(
      'bad-request',
      `The reason must be a string of at most ${MAX_REASON_LENGTH} characters.`,
    );
  }
  return { reason };
}

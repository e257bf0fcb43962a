import { RegistryHttpError, type VersionMetadata } from '@temper/parsercraft';
import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../context.ts';
import { degradedMember } from '../degradation.ts';
import { documented, OF_GUARDS } from '../documented.ts';
import { callerOf, clientOf, signalOf, withToken } from '../guards.ts';
import { Problem } from '../problem.ts';
import { SCHEMAS } from '../schemas.ts';

interface PublishBody {
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, string>>;
}

/** Routes for packages of the registry. */
export function packageRoutes(app: FastifyInstance, context: HttpContext): void {
  const { hardening, registryAccess, registry, audit } = context.demo.service;

  app.get<{ Params: { name: string }; Querystring: { range?: string; source?: boolean } }>(
    '/v1/packages/:name',
    {
      schema: documented({
        id: 'getPackage',
        summary: 'Get a package with its dependencies',
        description:
          'The package is resolved, downloaded and verified. While the registry is unavailable, a stale copy with its age.',
        tag: 'packages',
        params: SCHEMAS.packageName,
        querystring: SCHEMAS.packageQuery,
        schema: 'Package',
        answer:
          'Metadata, the lock file of the dependency tree, and the source when `source` is true.',
        problems: [
          'package-not-found',
          'unresolvable-packages',
          'bad-gateway',
          'timed-out',
          ...OF_GUARDS,
        ],
      }),
    },
    async (request, reply) => {
      const { range = '*', source = false } = request.query;
      const answer = await hardening.registry.fetchPackage(
        request.params.name,
        range,
        callerOf(context, request),
      );
      const { root, lock } = answer.value;
      const ageMs = answer.degraded?.ageMs;
      if (ageMs !== undefined) reply.header('age', String(Math.floor(ageMs / 1_000)));
      return {
        ...root.metadata,
        fetchedAt: root.fetchedAt,
        lock,
        ...(source ? { source: root.source } : {}),
        ...degradedMember(answer),
      };
    },
  );

  app.post<{ Body: PublishBody }>(
    '/v1/packages',
    {
      onRequest: withToken(context),
      schema: documented({
        id: 'publishPackage',
        summary: 'Publish a package',
        tag: 'packages',
        body: SCHEMAS.publish,
        status: 201,
        schema: 'PackageVersion',
        answer: 'Metadata of the published package.',
        problems: ['conflict', 'invalid-package', 'bad-gateway', 'timed-out', ...OF_GUARDS],
        needsToken: true,
      }),
    },
    async (request, reply) => {
      const { manifest, files } = request.body;
      const { name, version } = manifest as { name: string; version: string };
      if (Object.hasOwn(files, 'package.json')) {
        throw new Problem(
          'bad-request',
          'files must not contain package.json; it is created from manifest.',
        );
      }
      const metadata = await publish(async () =>
        registryAccess.client.publish(
          { ...files, 'package.json': JSON.stringify(manifest) },
          registry.token,
          { signal: signalOf(request) },
        ),
      );
      await audit.log.append({
        eventType: 'change',
        action: 'publish_package',
        resource: `${name}@${version}`,
        status: 'success',
        actor: clientOf(context, request),
        details: { integrity: metadata.integrity },
      });
      return reply.code(201).send(metadata);
    },
  );
}

/** Publishes once, without retries: publishing is not idempotent. */
async function publish(work: () => Promise<VersionMetadata>): Promise<VersionMetadata> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistryHttpError)) throw error;
    const { status, message } = error;
    if (status === 409) throw new Problem('conflict', message, { cause: error });
    if (status >= 400 && status < 500) {
      throw new Problem('invalid-package', message, { cause: error });
    }
    throw error;
  }
}

import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

/** Describes the routes that are added after it, at `/v1/openapi.json`. */
export async function addOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'ParserCraft, hardened',
        version: '1.0.0',
        description:
          'A language workbench behind guards. Every error is application/problem+json (RFC 9457) with the id of its trace; requests of one client are limited, and told so by RateLimit fields.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'programs', description: 'Compile, run, check and edit programs.' },
        { name: 'packages', description: 'Packages of the registry.' },
        { name: 'operations', description: 'How the service is.' },
        { name: 'demonstration', description: 'Make things go wrong, and watch.' },
      ],
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'Printed at the start; needed to change anything.',
          },
        },
      },
    },
  });
  app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

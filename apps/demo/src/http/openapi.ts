import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

/** Serves an OpenAPI document of the routes that are added after this call at `/v1/openapi.json`. */
export async function addOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'ParserCraft, protected by Temper',
        version: '1.0.0',
        description:
          'A language workbench with resilience policies. Every error is application/problem+json (RFC 9457) with a trace id. Requests are rate-limited per client and answered with RateLimit fields.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'programs', description: 'Compile, run, check and edit programs.' },
        { name: 'packages', description: 'Fetch and publish packages of the registry.' },
        { name: 'operations', description: 'Health, errors, policies, traces and the audit log.' },
        { name: 'demonstration', description: 'Inject faults and run scenarios.' },
      ],
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'Printed at startup; required for changes.',
          },
        },
      },
    },
  });
  app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { ANSWERS } from './answers.ts';

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
      servers: [{ url: '/' }],
      // The token is optional where nothing changes: a request with it counts for the operator's own limits.
      security: [{}, { token: [] }],
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
    transformObject: (document) =>
      sharing('openapiObject' in document ? (document.openapiObject as Document) : {}),
  });
  app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

interface Response {
  readonly content?: Readonly<
    Record<string, { readonly schema?: { readonly properties?: { code?: { enum: string[] } } } }>
  >;
}

interface Document {
  readonly components?: object;
  readonly paths?: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Record<string, object> }>>>
  >;
}

/** The document with the schemas of the answers, and with each response of problems once, as a component that has the name of its codes. */
function sharing(document: Document): Document {
  const responses: Record<string, Response> = {};
  for (const operations of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(operations)) {
      for (const [status, response] of Object.entries<Response>(operation.responses)) {
        const problem = response.content?.['application/problem+json']?.schema;
        if (problem?.properties?.code === undefined) continue;
        const name = problem.properties.code.enum.toSorted().join('.');
        responses[name] = response;
        operation.responses[status] = { $ref: `#/components/responses/${name}` };
      }
    }
  }
  return { ...document, components: { ...document.components, schemas: ANSWERS, responses } };
}

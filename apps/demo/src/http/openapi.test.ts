import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, it } from 'vitest';
import { createApp } from './app.ts';
import type { HttpContext } from './context.ts';
import { addOpenApi } from './openapi.ts';
import { addRoutes } from './routes/all.ts';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<
    Record<
      string,
      { readonly $ref?: string; readonly content?: Readonly<Record<string, { schema: object }>> }
    >
  >;
}

/** The document. Its routes are not called. */
async function documentOf(): Promise<{ paths: Record<string, Record<string, Operation>> }> {
  const app = createApp(() => {});
  await addOpenApi(app);
  addRoutes(app, { demo: { service: {} } } as HttpContext);
  const { body } = await app.inject('/v1/openapi.json');
  await app.close();
  return JSON.parse(body);
}

it('the OpenAPI document keeps the recommended rules of Redocly', async () => {
  const config = await createConfig({ extends: ['recommended-strict'] });
  const found = await lintFromString({ source: JSON.stringify(await documentOf()), config });
  expect(found.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
});

it('each operation has a name of its own, the schema of its answer, and shared problems', async () => {
  const { paths } = await documentOf();
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  expect(operations.length).toBeGreaterThan(15);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { operationId, responses } of operations) {
    for (const [status, { $ref, content }] of Object.entries(responses)) {
      const what = `${operationId} ${status}`;
      if (Number(status) >= 400) expect($ref, what).toMatch(/^#\/components\/responses\//);
      else if (operationId !== 'streamEvents') {
        expect(content?.['application/json']?.schema, what).toHaveProperty('$ref');
      }
    }
  }
});

import type { FastifyInstance } from 'fastify';
import { errorView, healthView, policiesView } from '../../live/views.ts';
import type { HttpContext } from '../context.ts';
import { documented } from '../documented.ts';
import { Problem } from '../problem.ts';
import { SCHEMAS } from '../schemas.ts';

/** How the service is. */
export function stateRoutes(app: FastifyInstance, context: HttpContext): void {
  const { service } = context.demo;
  const { hardening } = service;

  app.get(
    '/v1/health',
    {
      schema: documented({
        summary: 'Health of the service and of each part',
        description:
          '200 also for an unhealthy service, as the question was answered; balancers ask /readyz.',
        tag: 'operations',
        answer: 'The summary of all checks, with their uptimes, and the children.',
      }),
    },
    () => healthView(service),
  );

  app.get<{ Querystring: { limit?: number } }>(
    '/v1/errors',
    {
      schema: documented({
        summary: 'Errors by category and severity, and the last ones',
        tag: 'operations',
        querystring: SCHEMAS.limitQuery,
        answer: 'Totals since the start, and the last errors, oldest first.',
      }),
    },
    async ({ query: { limit = 50 } }) => ({
      stats: hardening.errorStats(),
      errors: hardening.errors(limit).map(errorView),
    }),
  );

  app.get(
    '/v1/policies',
    {
      schema: documented({
        summary: 'The guards: settings, states and counts',
        tag: 'operations',
        answer: 'Pipelines, breakers, limiters, retries, and what differs from the report.',
      }),
    },
    async () => policiesView(service),
  );

  app.get<{ Querystring: { limit?: number } }>(
    '/v1/traces',
    {
      schema: documented({
        summary: 'The last traces of this process',
        tag: 'operations',
        querystring: SCHEMAS.limitQuery,
        answer: 'Newest first; empty when OpenTelemetry is switched off.',
      }),
    },
    async ({ query: { limit = 20 } }) => ({
      traces: context.telemetry.traces?.recent(limit) ?? [],
      exported: context.telemetry.exportsTraces,
      jaegerUrl: context.jaegerUrl,
      metricsUrl: context.telemetry.metricsUrl,
    }),
  );

  app.get<{ Params: { traceId: string } }>(
    '/v1/traces/:traceId',
    {
      schema: documented({
        summary: 'One trace of this process',
        tag: 'operations',
        params: SCHEMAS.traceId,
        answer: 'Its spans, in order of their beginning.',
        problems: ['not-found'],
      }),
    },
    async ({ params: { traceId } }) => {
      const trace = context.telemetry.traces?.get(traceId);
      if (trace !== undefined) return trace;
      throw new Problem('not-found', 'No such trace is kept; only the last ones are.');
    },
  );
}

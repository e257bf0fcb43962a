import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import type { FastifyInstance } from 'fastify';
import { errorView, healthView, policiesView } from '../../live/views.ts';
import type { TraceView } from '../../telemetry/trace-ring.ts';
import type { HttpContext } from '../context.ts';
import { documented } from '../documented.ts';
import { withToken } from '../guards.ts';
import { withoutInnerPlaces } from '../inner-places.ts';
import { Problem } from '../problem.ts';
import { publicTrace } from '../public-trace.ts';
import { SCHEMAS } from '../schemas.ts';

/** Routes for the state of the service. */
export function stateRoutes(app: FastifyInstance, context: HttpContext): void {
  const { service } = context.demo;
  const { hardening } = service;
  /** The operator sees addresses, paths and stacks. */
  const forReader = <T>(headers: IncomingHttpHeaders, view: T): T =>
    context.access.hasToken(headers) ? view : withoutInnerPlaces(view);
  const traceFor = (headers: IncomingHttpHeaders, trace: TraceView): TraceView =>
    context.access.hasToken(headers) ? trace : publicTrace(trace);

  app.get(
    '/v1/health',
    {
      schema: documented({
        id: 'getHealth',
        summary: 'Health of the service and its parts',
        description: 'Returns 200 also when the service is unhealthy. Load balancers use /readyz.',
        tag: 'operations',
        schema: 'Health',
        answer:
          'All checks with their uptimes, the child processes, and the stalls of the event loop.',
      }),
    },
    async ({ headers }) => {
      const view = { ...(await healthView(service)), eventLoop: context.watchdog?.stats() };
      return forReader(headers, view);
    },
  );

  app.get<{ Querystring: { limit?: number } }>(
    '/v1/errors',
    {
      schema: documented({
        id: 'listErrors',
        summary: 'Error totals by category and severity, and the last errors',
        tag: 'operations',
        querystring: SCHEMAS.limitQuery,
        schema: 'Errors',
        answer: 'Totals since startup and the last errors, oldest first.',
      }),
    },
    async ({ query: { limit = 50 }, headers }) => ({
      stats: hardening.errorStats(),
      errors: forReader(headers, hardening.errors(limit).map(errorView)),
    }),
  );

  app.get(
    '/v1/policies',
    {
      schema: documented({
        id: 'getPolicies',
        summary: 'Settings, states and counts of the policies',
        tag: 'operations',
        schema: 'Policies',
        answer:
          'Pipelines, breakers, limiters, retries, and settings that differ from the defaults.',
      }),
    },
    async () => policiesView(service),
  );

  app.get(
    '/v1/tuning',
    {
      schema: documented({
        id: 'getTuning',
        summary: 'Settings that the fetches of packages speak for',
        description: 'Proposals only: nothing applies them.',
        tag: 'operations',
        schema: 'Tuning',
        answer: 'Proposals with their evidence, and what is missing for the others.',
      }),
    },
    async () => service.tuning.review(),
  );

  app.post(
    '/v1/heap-snapshot',
    {
      onRequest: withToken(context),
      schema: documented({
        id: 'takeHeapSnapshot',
        summary: 'Write a heap snapshot into the data directory',
        description:
          'Blocks the service for seconds, and needs as much memory again as the heap. Replaces the previous snapshot.',
        tag: 'operations',
        status: 201,
        schema: 'HeapSnapshot',
        answer: 'Path of the file.',
        needsToken: true,
      }),
    },
    async (_request, reply) => {
      const path = join(context.dataDir, 'service.heapsnapshot');
      return reply.code(201).send({ path: writeHeapSnapshot(path) });
    },
  );

  app.get<{ Querystring: { limit?: number } }>(
    '/v1/traces',
    {
      schema: documented({
        id: 'listTraces',
        summary: 'The last traces of this process',
        tag: 'operations',
        querystring: SCHEMAS.limitQuery,
        schema: 'Traces',
        answer: 'Traces, newest first; empty when OpenTelemetry is disabled.',
      }),
    },
    async ({ query: { limit = 20 }, headers }) => ({
      traces: (context.telemetry.traces?.recent(limit) ?? []).map((trace) =>
        traceFor(headers, trace),
      ),
      exported: context.telemetry.exportsTraces,
      jaegerUrl: context.jaegerUrl,
      metricsUrl: context.telemetry.metricsUrl,
    }),
  );

  app.get<{ Params: { traceId: string } }>(
    '/v1/traces/:traceId',
    {
      schema: documented({
        id: 'getTrace',
        summary: 'Get a trace of this process',
        tag: 'operations',
        params: SCHEMAS.traceId,
        schema: 'Trace',
        answer: 'The spans, ordered by start time.',
        problems: ['not-found'],
      }),
    },
    async ({ params: { traceId }, headers }) => {
      const trace = context.telemetry.traces?.get(traceId);
      if (trace !== undefined) return traceFor(headers, trace);
      throw new Problem('not-found', 'The trace does not exist or is no longer kept.');
    },
  );
}

import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../context.ts';
import { documented } from '../documented.ts';
import { SCHEMAS } from '../schemas.ts';
import { Verifier } from '../verification.ts';

interface AuditQuery {
  readonly limit?: number;
  readonly status?: string;
  readonly action?: string;
  readonly traceId?: string;
  readonly before?: number;
}

/** The audit log, read back. */
export function auditRoutes(app: FastifyInstance, context: HttpContext): void {
  const { audit } = context.demo.service;
  const verifier = new Verifier(audit);
  app.get<{ Querystring: AuditQuery }>(
    '/v1/audit',
    {
      schema: documented({
        summary: 'The last events of the audit log, and whether it is whole',
        tag: 'operations',
        querystring: SCHEMAS.auditQuery,
        answer:
          'Events, newest first; the log’s own figures; and what a verification of the whole chain and its signed checkpoints found, at most a few seconds ago.',
      }),
    },
    async ({ query: { limit = 50, before, ...filter } }) => {
      const { events } = await audit.log.query({
        ...filter,
        ...(before === undefined ? {} : { toSequence: before - 1 }),
        order: 'desc',
        limit,
      });
      const { sinks: _sinks, ...stats } = audit.log.stats();
      return { events, stats, durable: audit.durable, verification: await verifier.verify() };
    },
  );
}

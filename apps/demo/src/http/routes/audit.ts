import type { FastifyInstance } from 'fastify';
import { auditView } from '../../live/views.ts';
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

/** Routes that read the audit log. */
export function auditRoutes(app: FastifyInstance, context: HttpContext): void {
  const { audit } = context.demo.service;
  const verifier = new Verifier(audit);
  app.get<{ Querystring: AuditQuery }>(
    '/v1/audit',
    {
      schema: documented({
        id: 'readAudit',
        summary: 'The last events of the audit log and its verification',
        tag: 'operations',
        querystring: SCHEMAS.auditQuery,
        schema: 'Audit',
        answer:
          'Events, newest first; statistics of the log; and the result of verifying the whole chain and its signed checkpoints, at most 3 s old.',
      }),
    },
    async ({ headers, query: { limit = 50, before, ...filter } }) => {
      const { events } = await audit.log.query({
        ...filter,
        ...(before === undefined ? {} : { toSequence: before - 1 }),
        order: 'desc',
        limit,
      });
      const { sinks: _sinks, ...stats } = audit.log.stats();
      return {
        events: context.access.hasToken(headers) ? events : events.map(auditView),
        stats,
        durable: audit.durable,
        verification: await verifier.verify(),
      };
    },
  );
}

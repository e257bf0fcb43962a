import type { FastifyInstance } from 'fastify';
import { policiesView } from '../../live/views.ts';
import type { HttpContext } from '../context.ts';
import { documented } from '../documented.ts';
import { clientOf } from '../guards.ts';
import { Problem } from '../problem.ts';
import { publicTrace } from '../public-trace.ts';
import { LIMITS } from '../schemas.ts';

/** The event stream of the page. */
export function liveRoutes(app: FastifyInstance, context: HttpContext): void {
  const { hub, feed, demo, scenarios } = context;
  const hello = () => ({
    faults: demo.faults.list(),
    policies: policiesView(demo.service),
    totals: feed.meter.totals(),
    history: feed.history(),
    traces: (context.telemetry.traces?.recent(20) ?? []).map(publicTrace),
    scenario: scenarios.running,
    limits: { sourceLength: LIMITS.sourceLength },
  });

  app.get(
    '/v1/events',
    {
      schema: documented({
        id: 'streamEvents',
        summary: 'Stream of live events',
        description:
          'Server-sent events: hello, operations, breaker, second, audit, health, trace, fault, scenario. `Last-Event-ID` resumes the stream.',
        tag: 'operations',
        answer: 'A stream of server-sent events.',
        problems: ['too-many-listeners'],
      }),
    },
    (request, reply) => {
      const client = clientOf(context, request);
      if (hub.isFullFor(client)) {
        throw new Problem('too-many-listeners', 'Too many event streams are open.');
      }
      const lastEventId = request.headers['last-event-id'];
      reply.hijack();
      hub.connect(
        client,
        reply.raw,
        typeof lastEventId === 'string' ? lastEventId : undefined,
        hello,
      );
    },
  );
}

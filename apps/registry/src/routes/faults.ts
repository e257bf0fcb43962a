import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { resource } from '../app.ts';
import type { ActiveFaults } from '../faults/active-faults.ts';
import { parseFaultPlan } from '../faults/plan.ts';
import { Problem } from '../problem.ts';
import { FAULTS_ROUTE, ROUTES } from '../route-patterns.ts';

/** The routes for controlling faults. They exist only with `--faults`. */
export function faultRoutes(
  app: FastifyInstance,
  activeFaults: ActiveFaults,
  guard: onRequestHookHandler,
): void {
  resource(app, FAULTS_ROUTE, {
    GET: { before: guard, handler: () => activeFaults.status() },
    PUT: {
      before: guard,
      handler: async (request, reply) => {
        const parsed = parseFaultPlan(request.body, Object.values(ROUTES));
        if (!parsed.ok) {
          const [first] = parsed.flaws;
          throw new Problem('invalid-faults', `${first?.field} ${first?.message}.`, {
            extensions: { errors: parsed.flaws },
          });
        }
        await activeFaults.apply(parsed.plan, request.raw.socket);
        // A `refuse` fault keeps the connection of this request until the response is sent.
        if (!activeFaults.status().listening) reply.header('connection', 'close');
        return activeFaults.status();
      },
    },
    DELETE: {
      before: guard,
      handler: async () => {
        await activeFaults.clear();
        return activeFaults.status();
      },
    },
  });
}

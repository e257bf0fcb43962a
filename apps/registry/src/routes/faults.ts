import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { ADDRESSES, FAULTS_ADDRESS } from '../addresses.ts';
import { resource } from '../app.ts';
import type { FaultBoard } from '../faults/board.ts';
import { parseFaultPlan } from '../faults/plan.ts';
import { Problem } from '../problem.ts';

/** The switches. They exist only in a process that was started with `--faults`. */
export function faultRoutes(
  app: FastifyInstance,
  board: FaultBoard,
  guard: onRequestHookHandler,
): void {
  resource(app, FAULTS_ADDRESS, {
    GET: { before: guard, handler: () => board.status() },
    PUT: {
      before: guard,
      handler: async (request, reply) => {
        const parsed = parseFaultPlan(request.body, Object.values(ADDRESSES));
        if (!parsed.ok) {
          const [first] = parsed.flaws;
          throw new Problem('invalid-faults', `${first?.field} ${first?.message}.`, {
            extensions: { errors: parsed.flaws },
          });
        }
        await board.apply(parsed.plan, request.raw.socket);
        // A refusal spares the connection that asked for it, for this one answer.
        if (!board.status().listening) reply.header('connection', 'close');
        return board.status();
      },
    },
    DELETE: {
      before: guard,
      handler: async () => {
        await board.clear();
        return board.status();
      },
    },
  });
}

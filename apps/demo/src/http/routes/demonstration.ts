import { getRunbook, listRunbooks, runbookMarkdown } from '@temper/runbooks';
import type { FastifyInstance } from 'fastify';
import type { FaultName } from '../../faults/fault.ts';
import { SCENARIOS, scenarioNamed } from '../../scenarios/index.ts';
import type { HttpContext } from '../context.ts';
import { documented } from '../documented.ts';
import { clientOf, withToken } from '../guards.ts';
import { Problem } from '../problem.ts';
import { SCHEMAS } from '../schemas.ts';

/** Faults, scenarios and runbooks. */
export function demonstrationRoutes(app: FastifyInstance, context: HttpContext): void {
  const { demo, scenarios } = context;
  const { audit } = demo.service;
  const change = (action: string, resource: string, actor: string, details: object): void =>
    // What shows the faults must not be stopped by one.
    audit.log.record({ eventType: 'change', action, resource, status: 'success', actor, details });

  app.get(
    '/v1/faults',
    {
      schema: documented({
        summary: 'What can be made to go wrong, and what does',
        tag: 'demonstration',
        answer: 'The switches.',
      }),
    },
    async () => ({ faults: demo.faults.list() }),
  );

  app.post<{ Body: { name: FaultName; on: boolean } }>(
    '/v1/faults',
    {
      onRequest: withToken(context),
      schema: documented({
        summary: 'Switch a fault',
        tag: 'demonstration',
        body: SCHEMAS.fault,
        answer: 'The switch as it is now.',
        problems: ['conflict', 'bad-gateway'],
        needsToken: true,
      }),
    },
    async (request) => {
      const { name, on } = request.body;
      if (scenarios.running !== undefined) {
        throw new Problem('conflict', 'A scenario works the switches at the moment.');
      }
      change('switch_fault', name, clientOf(context, request), { on });
      return demo.faults.set(name, on);
    },
  );

  app.get(
    '/v1/scenarios',
    {
      schema: documented({
        summary: 'The scenarios',
        tag: 'demonstration',
        answer: 'Their phases and promises, what runs, and the last result of each.',
      }),
    },
    async () => ({
      running: scenarios.running,
      scenarios: SCENARIOS.map(({ name, title, about, phases, promises }) => ({
        name,
        title,
        about,
        phases: phases.map(({ name: phase, about: what, seconds }) => ({
          name: phase,
          about: what,
          seconds,
        })),
        promises: promises.map(({ promise }) => promise),
        result: scenarios.resultOf(name),
      })),
    }),
  );

  app.post<{ Params: { name: string } }>(
    '/v1/scenarios/:name',
    {
      onRequest: withToken(context),
      schema: documented({
        summary: 'Run a scenario on this service',
        description: 'Its progress and its result are told on /v1/events.',
        tag: 'demonstration',
        params: SCHEMAS.scenarioName,
        status: 202,
        answer: 'It has begun.',
        problems: ['conflict', 'not-found'],
        needsToken: true,
      }),
    },
    async (request, reply) => {
      const scenario = scenarioNamed(request.params.name);
      if (scenario === undefined) throw new Problem('not-found', 'There is no such scenario.');
      if (!scenarios.begin(scenario)) {
        throw new Problem('conflict', 'A scenario runs already; only one can at a time.');
      }
      change('run_scenario', scenario.name, clientOf(context, request), {});
      return reply.code(202).send({ running: scenarios.running });
    },
  );

  app.get(
    '/v1/runbooks',
    {
      schema: documented({
        summary: 'The runbooks',
        tag: 'operations',
        answer: 'Their names, titles, and the alerts that lead to them.',
      }),
    },
    async () => ({
      runbooks: listRunbooks().map((id) => {
        const { title, description, alerts } = getRunbook(id) ?? {};
        return { id, title, description, alerts };
      }),
    }),
  );

  app.get<{ Params: { id: string } }>(
    '/v1/runbooks/:id',
    {
      schema: documented({
        summary: 'One runbook',
        tag: 'operations',
        params: SCHEMAS.runbookId,
        answer: 'Symptoms, root causes, steps and prevention, also as Markdown.',
        problems: ['not-found'],
      }),
    },
    async ({ params: { id } }) => {
      const runbook = getRunbook(id);
      if (runbook === undefined) throw new Problem('not-found', 'There is no such runbook.');
      return { ...runbook, markdown: runbookMarkdown(runbook) };
    },
  );
}
